"""A linear layer and LIF neurons, as a peer of `bd`: the usual benchmark of spiking network libraries, forward and backward.

`Linear(n, n)` without bias and n neurons, 500 steps, batches of 16, float32, for n = 512 and n = 4096. The input is standard normal;
the weights are normal with deviation `0.7 / sqrt(n)` (for Norse ten times that, since it multiplies currents by `dt / tau` = 0.1), so
that neurons spike in 5 to 20 % of the steps. The loss is the sum of all spikes, each neuron's times a fixed random weight.

Timed are the whole, with the gradients of weight and input; the neurons alone on currents that are given, with the currents'
gradient; and the product alone, over all steps at once, with its two gradients. Resets are as the library has them: snnTorch
subtracts the threshold a step later, the others set to zero; none is in the gradient.

snnTorch's `Leaky` and Norse's `LIFBoxCell` are called step by step, SpikingJelly's `LIFNode` once for all steps. `--compile` compiles the
steps of the first two by `torch.compile`, some at once; compiling is not timed.
"""
import torch
from common_torch import BETA, gradients, norse_neurons, options, over_steps, rate, report, seconds, spikingjelly_neurons, spread

STEPS, BATCH, SIZES = 500, 16, (512, 4096)
DEVIATION = 0.7  # of the currents


def snntorch_scan(n, compiled):
    import snntorch
    from snntorch import surrogate

    neurons = snntorch.Leaky(BETA, spike_grad=surrogate.fast_sigmoid())
    return over_steps(neurons, lambda: torch.zeros(BATCH, n), compiled)


def norse_scan(n, compiled):
    neurons = norse_neurons()
    # As the cell itself begins, whose first step would be another program.
    return over_steps(neurons, lambda: neurons.state_fallback(torch.zeros(BATCH, n)), compiled)


def spikingjelly_scan(n, compiled):
    neurons = spikingjelly_neurons("m")

    def scan(currents):
        neurons.reset()
        return neurons(currents)

    return scan


# A scan over currents of all steps, and the size of the currents.
SCANS = {"snntorch": (snntorch_scan, 1), "norse": (norse_scan, 1 / (1 - BETA)), "spikingjelly": (spikingjelly_scan, 1)}


def measure(library, compiled, n, repeats):
    make, size = SCANS[library]
    scan, linear, out = make(n, compiled), torch.nn.Linear(n, n, bias=False), torch.randn(n)
    torch.nn.init.normal_(linear.weight, std=DEVIATION * size / n**0.5)
    xs = torch.randn(STEPS, BATCH, n, requires_grad=True)
    currents = linear(xs).detach().requires_grad_()
    adjoint = torch.randn(STEPS, BATCH, n)
    taken = {
        "whole": seconds(lambda: gradients(scan(linear(xs)), out, [linear.weight, xs]), repeats),
        "neurons": seconds(lambda: gradients(scan(currents), out, [currents]), repeats),
        "product": seconds(lambda: torch.autograd.grad(linear(xs), [linear.weight, xs], adjoint), repeats),
    }
    result = {part: spread(each) for part, each in taken.items()}
    with torch.no_grad():
        spikes = rate(scan(currents))
    return result | {"neuron_steps_per_s": STEPS * BATCH * n / result["neurons"]["median"], "rate": spikes}


def main():
    chosen = options(__doc__, repeats=5)
    sizes = {str(n): measure(chosen.library, chosen.compile, n, chosen.repeats) for n in SIZES}
    report(chosen.library, chosen.compile, job="lif", seconds={"job": sizes[str(SIZES[0])]["whole"]}, sizes=sizes)


if __name__ == "__main__":
    main()
