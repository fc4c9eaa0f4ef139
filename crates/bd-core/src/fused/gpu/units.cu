// All steps of units side by side, and their adjoint: a thread for each unit of each sample, with its state in registers.
//
// What comes before this text: `real` and `Leaves`; how many inputs `PORTS` and `OUTPUTS` a unit has; the numbers of state `STATES`, of which the
// last `STATES - MOVING` are held; what the adjoint reads: of the others those whose bits are set in `READS`, the inputs (`READS_INPUT`), the
// distance from the threshold (`SPIKES`); `step`, `adjoint` and `surrogate_gradient`, written down from the formula; and the steps `AHEAD` whose
// numbers are asked for before they are wanted, since memory takes longer to answer than a step takes. A series is [step, unit of a sample]; there
// are `width` of the latter, and `n` of these are of one sample. Those of inputs and outputs are [step, sample, port or output, unit].
//
// `last` may be `first`, and of gradients the other way round: a thread has read its own before it writes them.

// An array has a number at least.
#define ROOM (PORTS ? PORTS : 1)
#if PORTS == 1
#define IN(x) (x)[0]
#else
#define IN(x) (x)
#endif
#if OUTPUTS == 1
#define OUT(y) (y)[0]
#else
#define OUT(y) (y)
#endif

extern "C" __global__ void forward(const long long steps, const long long width, const long long n, const real *xs,
                                   const real *held, const Leaves first, const Leaves last, real *ys, const Leaves kept,
                                   real *kept_over, const Leaves traces) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= width)
        return;
    real s[STATES];
#pragma unroll
    for (int j = 0; j < MOVING; j++)
        s[j] = first.at[j][i];
#pragma unroll
    for (int j = MOVING; j < STATES; j++)
        s[j] = held[(j - MOVING) * n + i % n];
    const long long sample = i / n, unit = i % n;
    const real *own = xs + sample * PORTS * n + unit;
    real *outputs = ys + sample * OUTPUTS * n + unit;
    real ahead[AHEAD][ROOM];
#pragma unroll
    for (int a = 0; a < AHEAD; a++)
#pragma unroll
        for (int p = 0; p < PORTS; p++)
            ahead[a][p] = a < steps ? own[a * width * PORTS + p * n] : real(0);
    for (long long from = 0; from < steps; from += AHEAD) {
        real x[AHEAD][ROOM];
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            const long long later = from + AHEAD + a;
#pragma unroll
            for (int p = 0; p < PORTS; p++) {
                x[a][p] = ahead[a][p];
                ahead[a][p] = later < steps ? own[later * width * PORTS + p * n] : real(0);
            }
        }
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            // No break, which might keep the loop from being unrolled, and the arrays from registers.
            if (from + a < steps) {
                const long long at = (from + a) * width + i;
                real y[OUTPUTS], next[STATES], over;
#pragma unroll
                for (int j = 0; j < MOVING; j++)
                    if ((READS >> j & 1) && kept.at[j])
                        kept.at[j][at] = s[j];
                step(IN(x[a]), s, y, next, &over);
#pragma unroll
                for (int o = 0; o < OUTPUTS; o++)
                    outputs[(from + a) * width * OUTPUTS + o * n] = y[o];
                if (SPIKES && kept_over)
                    kept_over[at] = over;
#pragma unroll
                for (int j = 0; j < MOVING; j++) {
                    s[j] = next[j];
                    if (traces.at[j])
                        traces.at[j][at] = next[j];
                }
            }
        }
    }
#pragma unroll
    for (int j = 0; j < MOVING; j++)
        last.at[j][i] = s[j];
}

// What the adjoint of a step reads. What it does not read is known when this is compiled, and takes no registers.
struct Past {
    real x[ROOM], over, gy[OUTPUTS], s[STATES];
};

extern "C" __global__ void backward(const long long steps, const long long width, const long long n, const real *xs,
                                    const real *held, const Leaves kept, const real *kept_over, const real *gys,
                                    const Leaves glast, const real *gheld_later, const Leaves gtraces, real *gxs,
                                    const Leaves gfirst, real *gheld) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= width)
        return;
    const long long sample = i / n, unit = i % n, inputs = sample * PORTS * n + unit, outputs = sample * OUTPUTS * n + unit;
    auto read = [&](const long long t) {
        Past past;
        const long long at = t * width + i;
        const bool there = t >= 0;
#pragma unroll
        for (int p = 0; p < PORTS; p++)
            past.x[p] = READS_INPUT && there ? xs[t * width * PORTS + inputs + p * n] : real(0);
        past.over = SPIKES && there ? kept_over[at] : real(0);
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++)
            past.gy[o] = there && gys ? gys[t * width * OUTPUTS + outputs + o * n] : real(0);
#pragma unroll
        for (int j = 0; j < MOVING; j++)
            past.s[j] = (READS >> j & 1) && there ? kept.at[j][at] : real(0);
        return past;
    };
    real own[STATES], gs[STATES];
#pragma unroll
    for (int j = 0; j < STATES; j++) {
        own[j] = j < MOVING ? real(0) : held[(j - MOVING) * n + i % n];
        if (j < MOVING)
            gs[j] = glast.at[j] ? glast.at[j][i] : real(0);
        else
            gs[j] = gheld_later ? gheld_later[(j - MOVING) * width + i] : real(0);
    }
    Past ahead[AHEAD];
#pragma unroll
    for (int a = 0; a < AHEAD; a++)
        ahead[a] = read(steps - 1 - a);
    for (long long from = steps - 1; from >= 0; from -= AHEAD) {
        Past past[AHEAD];
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            past[a] = ahead[a];
            ahead[a] = read(from - AHEAD - a);
        }
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            if (from - a >= 0) {
                const long long at = (from - a) * width + i;
                real s[STATES], gx[ROOM], before[STATES];
#pragma unroll
                for (int j = 0; j < STATES; j++) {
                    s[j] = j < MOVING ? past[a].s[j] : own[j];
                    // What is asked of the record of a step is asked of the state after it.
                    if (j < MOVING && gtraces.at[j])
                        gs[j] += gtraces.at[j][at];
                }
                adjoint(IN(past[a].x), s, past[a].over, surrogate_gradient(past[a].over), OUT(past[a].gy), gs, gx, before);
                if (gxs)
#pragma unroll
                    for (int p = 0; p < PORTS; p++)
                        gxs[(from - a) * width * PORTS + inputs + p * n] = gx[p];
#pragma unroll
                for (int j = 0; j < STATES; j++)
                    gs[j] = before[j];
            }
        }
    }
#pragma unroll
    for (int j = 0; j < MOVING; j++)
        gfirst.at[j][i] = gs[j];
#pragma unroll
    for (int j = MOVING; j < STATES; j++)
        gheld[(j - MOVING) * width + i] = gs[j];
}
