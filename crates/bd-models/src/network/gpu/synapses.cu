// What goes through synapses, and the gradients of their weights.
//
// What comes before this text: `real`, and the `WIRES` of a launch at most. A series is [step, sample, channel]. Nobody writes what another
// thread reads, and sums are in the order of synapses, so that they are the same every time.

// A projection as one of its ends sees it: what the units at the other end, `others`, have in their series. Synapses of 32 units are side by
// side: those of unit `u` are at `starts[u / 32] + u % 32`, and from there on every 32nd, `counts[u]` of them.
struct Wire {
    const long long *starts;
    const int *counts, *others, *delays;
    const real *weights, *series;
    // Which of the own channels' parts this belongs to; steps and channels of the series, and the first channel of `others` in it; and at which of
    // its steps something is read for step 0, if there is no delay.
    long long part, steps, width, first, shift;
};

struct Wires {
    Wire of[WIRES];
};

// Adds to each channel of `steps` steps from step `first` on what `count` wires bring: a channel is one of `n` units, in one of several parts.
// Where delays lead to: `sign` is 1 if to later steps, and -1 if to earlier ones.
extern "C" __global__ void gather(const long long first, const long long steps, const long long batch, const long long channels,
                                  const long long n, const long long count, const long long sign,
                                  const __grid_constant__ Wires wires, real *to) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= steps * batch * channels)
        return;
    const long long channel = i % channels, sample = i / channels % batch, step = first + i / channels / batch;
    const long long unit = channel % n, part = channel / n, at = (step * batch + sample) * channels + channel;
    real sum = to[at];
    for (long long w = 0; w < count; w++) {
        const Wire &wire = wires.of[w];
        if (wire.part != part)
            continue;
        const long long begin = wire.starts[unit / 32] + unit % 32;
        const int own = wire.counts[unit];
        for (int k = 0; k < own; k++) {
            const long long synapse = begin + k * 32LL, other = step + wire.shift + sign * wire.delays[synapse];
            if (other >= 0 && other < wire.steps) {
                const real number = wire.series[(other * batch + sample) * wire.width + wire.first + wire.others[synapse]];
                // Most of what is sent is no spike.
                if (number != real(0))
                    sum = fma(wire.weights[synapse], number, sum);
            }
        }
    }
    to[at] = sum;
}

// The gradients of `synapses` weights, in `parts` parts of time, [part, synapse]: of what was sent, [step, batch, width], where what arrives in
// step 0 without a delay was sent in step `before`, from channel `first_sent` on, and of the gradients of what arrived, [steps, batch, channels], from channel `first_arrived` on.
extern "C" __global__ void products(const long long synapses, const long long parts, const long long before, const long long steps,
                                    const long long batch, const int *sources, const int *targets, const int *delays,
                                    const real *sent, const long long width, const long long first_sent, const real *arrived,
                                    const long long channels, const long long first_arrived, real *to) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= synapses * parts)
        return;
    const long long synapse = i % synapses, part = i / synapses, from = part * steps / parts, end = (part + 1) * steps / parts;
    const real *of_source = sent + (before - delays[synapse]) * batch * width + first_sent + sources[synapse];
    const real *of_target = arrived + first_arrived + targets[synapse];
    real sum = real(0);
    for (long long row = from * batch; row < end * batch; row++) {
        const real number = of_source[row * width];
        if (number != real(0))
            sum = fma(number, of_target[row * channels], sum);
    }
    to[i] = sum;
}
