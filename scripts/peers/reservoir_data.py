"""Writes what `scripts/bench esn` gives to bd and to ReservoirPy: series as .npz files (x, y: [step, channel]), and the plan of what is
to be measured. The series are those of ReservoirPy's own generators."""
import argparse
import json
from pathlib import Path

import numpy as np
from reservoirpy.datasets import mackey_glass, narma

STEPS = 6000
# What a run of bd tests its choice on.
TEST = 100
SPEED = [
    # Units, steps, series side by side, whether the fit is measured, too. Each unit has 5 recurrent inputs on average.
    {"units": 100, "steps": 50_000, "series": 1, "fit": True},
    {"units": 1000, "steps": 50_000, "series": 1, "fit": True},
    {"units": 1000, "steps": 2000, "series": 32},
    {"units": 1000, "steps": 2000, "series": 32, "dtype": "f32"},
    {"units": 10_000, "steps": 5000, "series": 1},
    {"units": 10_000, "steps": 5000, "series": 1, "dtype": "f32"},
]


def save(folder, name, x, y):
    np.savez(folder / name, x=np.asarray(x, dtype=np.float64), y=np.asarray(y, dtype=np.float64))
    return name


def tasks(folder, seeds):
    series = mackey_glass(STEPS + 10, tau=17)
    series = 2 * (series - series.min()) / (series.max() - series.min()) - 1
    ahead = save(folder, "mackey_glass.npz", series[:-10], series[10:])
    # There are `order` inputs before the first output.
    u, y = narma(STEPS, order=10, seed=1234)
    narma_10 = save(folder, "narma_10.npz", u[10:], y)
    common = {"washout": 100, "train": 4000, "seeds": seeds}
    for units, leak, radius in [(100, 0.5, 0.9), (500, 0.3, 1.25), (1000, 0.3, 1.25)]:
        settings = {"units": units, "leak": leak, "spectral_radius": radius, "input_scaling": 1.0, "ridge": 1e-7}
        yield {"task": "Mackey-Glass, 10 ahead", "file": ahead} | settings | common
    for units in (100, 200, 400):
        settings = {"units": units, "leak": 1.0, "spectral_radius": 0.95, "input_scaling": 0.2, "ridge": 1e-8}
        yield {"task": "NARMA10", "file": narma_10} | settings | common


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--search", type=int, default=0, metavar="N", help="settings of 500 units that are drawn and tried")
    parser.add_argument("--fit-10000", type=int, default=0, metavar="STEPS", help="the fit of 10,000 units, too, to so many steps")
    options = parser.parse_args()
    large = [{"units": 10_000, "steps": options.fit_10000, "series": 1, "fit": True}] if options.fit_10000 else []
    plan = {"speed": [{"inputs_a_unit": 5} | case for case in SPEED + large]}
    plan |= {"tasks": list(tasks(options.folder, options.seeds)), "memory_seeds": options.seeds}
    # The first tenth of the training part of Mackey-Glass only brings reservoirs to their states.
    sizes = {"washout": 400, "train": 4000, "validation": 1000, "horizon": 10}
    settings = {"settings": options.search, "units": 500, "inputs_a_unit": 5, "ridge": 1e-7}
    series = np.load(options.folder / "mackey_glass.npz")["x"][: sizes["train"] + sizes["validation"] + TEST]
    np.savez(options.folder / "search.npz", x=series)
    plan["search"] = {"file": "search.npz", "test": TEST} | sizes | settings
    (options.folder / "plan.json").write_text(json.dumps(plan))


if __name__ == "__main__":
    main()
