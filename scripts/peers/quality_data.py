"""Files of sequences as `bd` reads them (docs/your-data.md), as the peers of `scripts/bench quality` take them."""
import math
from dataclasses import dataclass

import numpy as np

WINDOWS = 100  # equal windows of time into which spikes with times are counted where no target says how many steps there are


@dataclass
class Part:
    """x `[sample, time, channel]` with zeros in padding, targets, and the length of each sequence."""

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray

    def valid(self):
        """Which steps are no padding, `[sample, time]`."""
        return np.arange(self.x.shape[1]) < self.lengths[:, None]


def read(path):
    """What the inputs are, and training and test part, on as many steps; channels standardised by the steps of the training part that are no padding."""
    arrays = dict(np.load(path))
    spikes = "times_train" in arrays
    inputs = counts(arrays) if spikes else {name: arrays[f"x_{name}"] for name in ("train", "test")}
    steps = max(x.shape[1] for x in inputs.values())
    train, test = (part(arrays, name, x.astype(float), steps) for name, x in inputs.items())
    rows = train.x[train.valid()]
    mean, std = rows.mean(0), rows.std(0)
    for each in (train, test):
        each.x = (each.x - mean) / np.where(std > 0, std, 1) * each.valid()[:, :, None]
    return inputs_of(arrays), train, test


def part(arrays, name, x, steps):
    lengths = arrays.get(f"len_{name}", np.full(len(x), x.shape[1]))
    x = np.pad(x, [(0, 0), (0, steps - x.shape[1]), (0, 0)])
    return Part(x, arrays[f"y_{name}"], lengths)


def inputs_of(arrays):
    """`events`, `spikes` or `numbers`, and of events the milliseconds of a step, or nothing where no target says how many there are."""
    if "times_train" in arrays:
        steps = steps_of_targets(arrays)
        return {"inputs": "events"} | ({"dt_ms": 1e3 * duration(arrays) / steps} if steps else {})
    return {"inputs": "spikes" if np.isin(arrays["x_train"], [0, 1]).all() else "numbers"}


def duration(arrays):
    """Seconds that spikes with times take: the latest of the training part, rounded up to a millisecond."""
    return math.ceil(1e3 * float(arrays["times_train"].max()) + 1e-9) / 1e3


def steps_of_targets(arrays):
    """Steps of the targets, where there is one of numbers for each step."""
    return arrays["y_train"].shape[1] if arrays["y_train"].ndim == 3 else None


def counts(arrays):
    """Spikes of each channel in equal windows, as many as the targets have steps."""
    windows, seconds = steps_of_targets(arrays) or WINDOWS, duration(arrays)
    channels = int(arrays["units_train"].max()) + 1
    found = {}
    for name in ("train", "test"):
        offsets = arrays[f"offsets_{name}"]
        sample = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        window = (arrays[f"times_{name}"] / seconds * windows).astype(int)
        seen = window < windows
        found[name] = np.zeros([len(offsets) - 1, windows, channels])
        np.add.at(found[name], (sample[seen], window[seen], arrays[f"units_{name}"][seen]), 1)
    return found
