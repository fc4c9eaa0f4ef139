"""What the peers on PyTorch share: options, a clock, the loss, the result as JSON.

`scripts/bench` reads one JSON object from the last line of standard output. It has `seconds.job` (`median`, `p10`, `p90`) and
`versions`; all else is for the reader.

All use the derivative of the fast sigmoid as surrogate (Zenke and Ganguli 2018), which all three libraries have and bd has as
`inv_square`.
"""
import argparse
import importlib.metadata
import json
import platform
import time
import warnings

warnings.filterwarnings("ignore")

import numpy as np
import torch

LIBRARIES = ("snntorch", "norse", "spikingjelly")
COMPILED = ("snntorch", "norse")  # SpikingJelly's neurons hold their state themselves
AT_ONCE = 50  # steps that are compiled as one piece: of 10, 25 and 50 the fastest, for which compiling takes two minutes
WARM_UP = 3
BETA = 0.9  # what is left of a potential after a step


def options(description, repeats):
    """Of the command line; two threads, everything random from one seed."""
    parser = argparse.ArgumentParser(description=description.split(":")[0])
    parser.add_argument("--library", choices=LIBRARIES, required=True)
    parser.add_argument("--compile", action="store_true", help=f"by torch.compile, {AT_ONCE} steps at once")
    parser.add_argument("--repeats", type=int, default=repeats, help="beside those to warm up (%(default)s)")
    torch.set_num_threads(2)
    torch.manual_seed(1234)
    chosen = parser.parse_args()
    if chosen.compile and chosen.library not in COMPILED:
        parser.error(f"--compile is for {' and '.join(COMPILED)}")
    return chosen


def over_steps(step, state, compiled):
    """A scan of `step`, `(input, state) -> (spikes, state)`, over inputs of all steps from `state()`, which may be compiled in pieces."""

    def several(inputs, state):
        every = []
        for x in inputs.unbind():
            spikes, state = step(x, state)
            every.append(spikes)
        return torch.stack(every), state

    if not compiled:
        return lambda inputs: several(inputs, state())[0]
    # Each size is a text of its own, and so are the first piece and those behind it: more than are allowed by default.
    torch._dynamo.config.recompile_limit = 64
    # Of steps alone: what falls back to Python would be no compiled loop.
    piece = torch.compile(several, fullgraph=True, dynamic=False)

    def scan(inputs):
        every, now = [], state()
        for part in inputs.split(AT_ONCE):
            spikes, now = piece(part, now)
            every.append(spikes)
        return torch.cat(every)

    return scan


def seconds(job, repeats):
    """Of each time but the first ones, in which some programs are compiled, and compiled again for what the first time found."""
    taken = []
    for _ in range(WARM_UP + repeats):
        began = time.perf_counter()
        job()
        taken.append(time.perf_counter() - began)
    return taken[WARM_UP:]


def spread(seconds):
    p10, median, p90 = np.percentile(seconds, [10, 50, 90]).tolist()
    return {"median": median, "p10": p10, "p90": p90}


def gradients(spikes, weights, tensors):
    """Of the sum of all spikes `[time, batch, neuron]`, those of each neuron times its weight."""
    return torch.autograd.grad(spikes.sum((0, 1)) @ weights, tensors)


def rate(spikes):
    """Spikes for each neuron and step."""
    return float(spikes.mean())


def norse_neurons():
    """Of Norse's neurons those with least to compute, without a synaptic current; 1 ms steps, a time constant of 10 ms. The reset
    is outside the gradient, as in the other libraries."""
    import norse.torch as norse
    from norse.torch.functional.reset import reset_value

    detached = lambda spikes, *others: reset_value(spikes.detach(), *others)
    return norse.LIFBoxCell(norse.LIFBoxParameters(reset_method=detached))


def spikingjelly_neurons(step_mode):
    """`s`: single steps, `m`: all steps in one call. On a CPU this library has but one back end, torch's."""
    from spikingjelly.activation_based import neuron, surrogate

    return neuron.LIFNode(
        tau=1 / (1 - BETA),
        decay_input=False,
        detach_reset=True,
        surrogate_function=surrogate.SuperSpike(),
        step_mode=step_mode,
    )


def report(library, compiled=False, **result):
    versions = {name: importlib.metadata.version(name) for name in (library, "torch")}
    if compiled:
        result["compiled_steps"] = AT_ONCE
    print(json.dumps(result | {"versions": versions | {"python": platform.python_version()}}))
