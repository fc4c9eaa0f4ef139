"""ReservoirPy by the plan of reservoir_data.py: seconds of states and of fits, NRMSE by the standard deviation, memory capacities,
and a search for settings.

Matrices are those of its own defaults (normal, density as in the plan or 0.1; W_in of Bernoulli, a tenth of which is not zero), in float64.
"""
import argparse
import importlib.metadata
import json
import platform
import time
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from reservoirpy.mat_gen import orthogonal, ring, uniform
from reservoirpy.nodes import ES2N, Reservoir, Ridge


def timed(run):
    began = time.perf_counter(), time.process_time()
    result = run()
    return result, {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}


def speed(case):
    shape = (case["steps"], 1) if case["series"] == 1 else (case["series"], case["steps"], 1)
    x = np.random.default_rng(0).uniform(-1, 1, shape)
    settings = {"lr": 0.5, "sr": 0.9, "rc_connectivity": case["inputs_a_unit"] / case["units"], "seed": 1}
    reservoir = Reservoir(case["units"], **settings)
    _, making = timed(lambda: reservoir.initialize(x if case["series"] == 1 else x[0]))
    # The least of three, as of bd.
    runs = [timed(lambda: reservoir.run(x))[1] for _ in range(3)]
    said = {"making": making, "states": min(runs, key=lambda run: run["cpu"])}
    if case.get("fit"):
        model = Reservoir(case["units"], **settings) >> Ridge(ridge=1e-6)
        said["fit"] = timed(lambda: model.fit(x, np.roll(x, -1, 0), warmup=0))[1]
    return said


def task(one, folder):
    arrays = np.load(folder / one["file"])
    x, y, train = arrays["x"], arrays["y"], one["train"]
    errors = []
    for seed in range(one["seeds"]):
        reservoir = Reservoir(
            one["units"], lr=one["leak"], sr=one["spectral_radius"], input_scaling=one["input_scaling"], seed=seed
        )
        model = reservoir >> Ridge(ridge=one["ridge"])
        model.fit(x[:train], y[:train], warmup=one["washout"])
        # The state after the training part is that before the test part.
        found = model.run(x[train:])
        errors.append(float(np.sqrt(np.mean((found - y[train:]) ** 2)) / y[train:].std()))
    return errors


def capacity(reservoir, seed):
    """As in its notebook "Edge of Stability Echo State Network": 6,000 steps, 199 delays, the last 1,000 steps for the test."""
    series = np.random.default_rng(seed).uniform(-0.8, 0.8, 6200)
    lagged = sliding_window_view(series, 200)[:, ::-1]
    model = reservoir >> Ridge(ridge=1e-7)
    model.fit(lagged[:-1000, :1], lagged[:-1000, 1:], warmup=200)
    found = model.run(lagged[-1000:, :1])
    return float(sum(np.corrcoef(a, b)[0, 1] ** 2 for a, b in zip(found.T, lagged[-1000:, 1:].T)))


def memory(seeds):
    usual = {"lr": 1.0, "input_scaling": 0.1}
    dense = {"input_connectivity": 1.0, "rc_connectivity": 1.0, "Win": uniform}
    subjects = {
        "leaky": lambda seed: Reservoir(100, sr=0.9, seed=seed, **usual),
        "orthogonal": lambda seed: Reservoir(W=orthogonal(100, 100, sr=0.9, seed=seed), seed=seed, **usual),
        "ring": lambda seed: Reservoir(W=0.9 * ring(100, 100), seed=seed, **usual),
        "es2n": lambda seed: ES2N(100, sr=0.9, proximity=0.05, input_scaling=0.1, seed=seed, **dense),
    }
    return {name: [capacity(make(seed), seed) for seed in range(seeds)] for name, make in subjects.items()}


def search(one, folder):
    """Settings drawn as `bd train esn --search` draws them, each fitted and scored by the validation part: seconds of one, and the best score."""
    x, train, horizon = np.load(folder / one["file"])["x"], one["train"], one["horizon"]
    y, end = x[horizon:], train + one["validation"]
    rng = np.random.default_rng(0)

    def errors():
        for _ in range(one["settings"]):
            log_uniform = lambda least, most: least * (most / least) ** rng.uniform()
            settings = {"sr": log_uniform(0.05, 1.5), "lr": log_uniform(0.03, 1.0), "input_scaling": log_uniform(0.05, 2.0)}
            reservoir = Reservoir(one["units"], rc_connectivity=one["inputs_a_unit"] / one["units"], seed=1, **settings)
            model = reservoir >> Ridge(ridge=one["ridge"])
            model.fit(x[:train], y[:train], warmup=one["washout"])
            found = model.run(x[train : end - horizon])
            yield float(np.sqrt(np.mean((found - y[train : end - horizon]) ** 2)) / y[train : end - horizon].std())

    best, took = timed(lambda: min(errors()))
    return {name: seconds / one["settings"] for name, seconds in took.items()} | {"best": best}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--plan", type=Path, required=True)
    file = parser.parse_args().plan
    plan = json.loads(file.read_text())
    # float32 is a matter of bd; here one measurement stands for both.
    said = {"speed": [speed(case) for case in plan["speed"] if case.get("dtype") != "f32"]}
    said |= {"tasks": [task(one, file.parent) for one in plan["tasks"]], "memory": memory(plan["memory_seeds"])}
    if plan["search"]["settings"]:
        said["search"] = search(plan["search"], file.parent)
    versions = {name: importlib.metadata.version(name) for name in ("reservoirpy", "numpy", "scipy")}
    print(json.dumps(said | {"versions": versions | {"python": platform.python_version()}}))


if __name__ == "__main__":
    main()
