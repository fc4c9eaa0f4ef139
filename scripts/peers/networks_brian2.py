"""Brian2's C++ program of networks of bd, from the very same text: `networks_brian2.py NETWORKS --names cuba,coba,cobahh --threads 1,2`.

One second in steps of 0.1 ms, spikes recorded, synapses drawn by Brian2. Seconds are those of the run as Brian2's own program tells them,
the least of three. Ends with a line of JSON.
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

from neurons_brian2 import constants, quantity

STEPS, RUNS = 10_000, 3
logging.getLogger("brian2").setLevel(logging.ERROR)


def whole(text, name):
    """A population with what it takes from another."""
    population = dict(text["population"][name])
    like = population.pop("like", None)
    return {**whole(text, like), **population} if like else population


def measure(text, threads):
    b.device.reinit()
    b.set_device("cpp_standalone", build_on_run=False)
    b.prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
    dt = text["dt_ms"] * b.ms
    groups, parts = {}, []
    for name in text["population"]:
        population = whole(text, name)
        known = constants(population.get("constants", {}))
        options = {key: population[key] for key in ("threshold", "reset") if key in population}
        if "refractory" in population:
            options["refractory"] = quantity(population["refractory"], known)
        method = population.get("method", "exact")
        group = b.NeuronGroup(population["n"], population["equations"], method=method, namespace=known, dt=dt, **options)
        for variable, value in population.get("initial", {}).items():
            setattr(group, variable, value)
        groups[name] = group
        parts += [group, b.SpikeMonitor(group)]
    for at, projection in enumerate(text["projection"]):
        to = projection["to"]
        for target in [to] if isinstance(to, str) else to:
            population, variable = target.split(".")
            weight = {"w": quantity(projection["weight"], {})}
            delay = {"delay": quantity(projection["delay"], {})} if "delay" in projection else {}
            made = b.Synapses(groups[projection["from"]], groups[population], on_pre=f"{variable} += w", namespace=weight, dt=dt, **delay)
            made.connect(p=projection["connect"]["p"])
            parts.append(made)
    b.Network(*parts).run(STEPS * dt)
    folder = tempfile.mkdtemp()
    try:
        b.device.build(directory=folder, compile=True, run=False)
        seconds = []
        for _ in range(RUNS):
            b.device.run(with_output=False)
            seconds.append(b.device._last_run_time)
        spikes = {name: int(part.num_spikes) for name, part in zip(groups, parts[1::2])}
        rates = {name: count / groups[name].N / (STEPS * text["dt_ms"] / 1e3) for name, count in spikes.items()}
        return {"ran_s": min(seconds), "rates_hz": rates}
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", type=Path)
    parser.add_argument("--names", default="cuba,coba,cobahh")
    parser.add_argument("--threads", default="1,2")
    options = parser.parse_args()
    b.prefs.core.default_float_dtype = np.float64
    found = {}
    for name in options.names.split(","):
        text = tomllib.loads((options.networks / f"{name}.toml").read_text())
        for threads in map(int, options.threads.split(",")):
            found[f"{name} {threads}"] = measure(text, threads)
    print(json.dumps({"version": b.__version__, "runs": found}))


if __name__ == "__main__":
    main()
