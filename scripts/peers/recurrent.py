"""A spiking network of the size that the Spiking Heidelberg Digits take, as a peer of `bd`: two recurrent layers of LIF neurons.

700 input channels of which 2 % spike in a step, two layers of 512 neurons, 250 steps, batches of 256, float32. The current of a
layer is `x W + s V`, with the layer's own spikes `s` of the step before, and no bias. Timed is one forward and one backward pass,
with the gradients of all four weights. The loss is the sum of the second layer's spikes, each neuron's times a fixed random
weight.

All libraries get the same input and the same weights: normal with deviation 0.17 (input), 0.1 (between the layers) and 0.015
(recurrent), so that both layers spike in 5 to 10 % of the steps; ten times as large for Norse, which multiplies currents by
`dt / tau` = 0.1. Resets are as the library has them: snnTorch subtracts the threshold a step later, the others set to zero.

In each library the input product of a layer is one product over all steps, and the loop over the steps is in Python, with the
library's own step. That is faster than its own recurrent containers where it has these: Norse's `LIFRecurrentCell` multiplies the
input step by step and has a synaptic current besides, SpikingJelly's `LinearRecurrentContainer` multiplies `[x, s]` by a matrix of
twice the size. snnTorch's `RLeaky` is used as it is, with its recurrent layer replaced by one without bias. `--compile` compiles the steps
of Norse and snnTorch by `torch.compile`, some at once; compiling is not timed.
"""
import torch
from common_torch import BETA, gradients, norse_neurons, options, over_steps, rate, report, seconds, spikingjelly_neurons, spread

STEPS, BATCH, INPUTS, NEURONS = 250, 256, 700, 512
INPUT_RATE = 0.02


def linear(inputs, deviation):
    layer = torch.nn.Linear(inputs, NEURONS, bias=False)
    torch.nn.init.normal_(layer.weight, std=deviation)
    return layer


def snntorch_layer(recurrent, compiled):
    import snntorch
    from snntorch import surrogate

    neurons = snntorch.RLeaky(BETA, all_to_all=True, linear_features=NEURONS, spike_grad=surrogate.fast_sigmoid())
    neurons.recurrent = recurrent

    def step(current, state):
        spikes, potentials = neurons(current, *state)
        return spikes, (spikes, potentials)

    return over_steps(step, lambda: (torch.zeros(BATCH, NEURONS), torch.zeros(BATCH, NEURONS)), compiled)


def norse_layer(recurrent, compiled):
    neurons = norse_neurons()

    def step(current, state):
        spikes, state = neurons(current + recurrent(state[0]), state[1])
        return spikes, (spikes, state)

    def start():
        zeros = torch.zeros(BATCH, NEURONS)
        return zeros, neurons.state_fallback(zeros)

    return over_steps(step, start, compiled)


def spikingjelly_layer(recurrent, compiled):
    neurons = spikingjelly_neurons("s")

    def scan(currents):
        neurons.reset()
        spikes, every = torch.zeros(BATCH, NEURONS), []
        for current in currents.unbind():
            spikes = neurons(current + recurrent(spikes))
            every.append(spikes)
        return torch.stack(every)

    return scan


# A layer's scan over currents of all steps, and the size of the weights.
LAYERS = {"snntorch": (snntorch_layer, 1), "norse": (norse_layer, 1 / (1 - BETA)), "spikingjelly": (spikingjelly_layer, 1)}


def products(xs, spikes, inputs, recurrents):
    """The matrix products of a pass alone, cut up as in the pass; what they give is written to the same place again and again."""
    step, steps = torch.empty(BATCH, NEURONS), torch.empty(STEPS * BATCH, NEURONS)
    by_step, all_steps = spikes.unbind(), spikes.flatten(0, 1)
    of_weights = [torch.empty_like(layer.weight) for layer in inputs + recurrents]

    def run():
        for i, x in enumerate((xs.flatten(0, 1), all_steps)):
            torch.mm(x, inputs[i].weight.t(), out=steps)
            for s in by_step:
                torch.mm(s, recurrents[i].weight.t(), out=step)
        for i, x in ((1, all_steps), (0, xs.flatten(0, 1))):
            for s in by_step:
                torch.mm(s, recurrents[i].weight, out=step)
                torch.mm(s.t(), s, out=of_weights[2 + i])
            torch.mm(all_steps.t(), x, out=of_weights[i])
            if i == 1:  # the input has no gradient
                torch.mm(all_steps, inputs[i].weight, out=steps)

    return run


def main():
    chosen = options(__doc__, repeats=5)
    layer, size = LAYERS[chosen.library]
    xs = (torch.rand(STEPS, BATCH, INPUTS) < INPUT_RATE).float()
    inputs = [linear(INPUTS, 0.17 * size), linear(NEURONS, 0.1 * size)]
    recurrents = [linear(NEURONS, 0.015 * size) for _ in range(2)]
    out = torch.randn(NEURONS)
    first, second = (layer(recurrent, chosen.compile) for recurrent in recurrents)

    def net():
        spikes = first(inputs[0](xs))
        return spikes, second(inputs[1](spikes))

    def job():
        return gradients(net()[1], out, [layer.weight for layer in inputs + recurrents])

    taken = seconds(job, chosen.repeats)
    if not all(gradient.isfinite().all() for gradient in job()):
        raise ArithmeticError("a gradient is not finite")
    with torch.no_grad():
        both = net()
        alone = seconds(products(xs, both[0], inputs, recurrents), chosen.repeats)
    share = spread(alone)["median"] / spread(taken)["median"]
    report(
        chosen.library,
        chosen.compile,
        job="recurrent",
        seconds={"job": spread(taken), "products": spread(alone)},
        rates=[rate(spikes) for spikes in both],
        product_share=share,
    )


if __name__ == "__main__":
    main()
