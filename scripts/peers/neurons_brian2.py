"""Brian2's C++ program of neurons of bd's zoo, from the very same text: `neurons_brian2.py ZOO --neurons lif,adex --threads 1,2`.

4,000 neurons by themselves, 10,000 steps of 0.1 ms, a constant input from 0 to 2 times that of the zoo, spikes recorded. Seconds are those of
the run as Brian2's own program tells them, the least of five. Ends with a line of JSON.
"""
import argparse
import json
import logging
import shutil
import tempfile
import tomllib
from pathlib import Path

import brian2 as b
import numpy as np

N, STEPS, DT, RUNS = 4000, 10_000, 0.1, 5
logging.getLogger("brian2").setLevel(logging.ERROR)


def quantity(value, known):
    return eval(value, {**b.units.allunits.__dict__, **vars(b), **known}) if isinstance(value, str) else value


def constants(table):
    known = {}
    while len(known) < len(table):
        for name in table.keys() - known.keys():
            try:
                known[name] = quantity(table[name], known)
            except NameError:
                pass  # of another constant, which comes later
    return known


def measure(text, dtype, threads):
    b.device.reinit()
    b.set_device("cpp_standalone", build_on_run=False)
    b.prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
    b.prefs.core.default_float_dtype = getattr(np, dtype)
    known = constants(text.get("constants", {}))
    options = {name: text[name] for name in ("threshold", "reset") if name in text}
    if (refractory := text.get("refractory")) is not None:
        options["refractory"] = refractory if ">" in refractory else quantity(refractory, known)
    group = b.NeuronGroup(N, text["equations"], method=text.get("method", "exact"), namespace=known, dt=DT * b.ms, **options)
    for name, value in text.get("initial", {}).items():
        setattr(group, name, quantity(value, known))
    ((port, one),) = text["inputs"].items()
    setattr(group, port, quantity(one, known) * 2 * np.arange(N) / N)
    spikes = b.SpikeMonitor(group)
    b.Network(group, spikes).run(STEPS * DT * b.ms)
    folder = tempfile.mkdtemp()
    try:
        b.device.build(directory=folder, compile=True, run=False)
        seconds = []
        for _ in range(RUNS):
            b.device.run(with_output=False)
            seconds.append(b.device._last_run_time)
        return {"seconds": min(seconds), "spikes": int(spikes.num_spikes)}
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    parser.add_argument("--neurons", default="lif,adex,hh")
    parser.add_argument("--threads", default="1,2")
    options = parser.parse_args()
    found = {}
    for name in options.neurons.split(","):
        text = tomllib.loads((options.zoo / f"{name}.toml").read_text())
        for dtype in ("float32", "float64"):
            for threads in map(int, options.threads.split(",")):
                found[f"{name} {dtype} {threads}"] = measure(text, dtype, threads)
    print(json.dumps({"version": b.__version__, "runs": found}))


if __name__ == "__main__":
    main()
