"""How well simple and strong programs do on files of sequences, as peers of `bd train rnn` and `bd train snn`.

| peer | what it does |
|---|---|
| 1-nn | the target of the nearest training sequence, by the Euclidean distance of standardised channels |
| ridge | ridge regression on the whole sequence, flattened; of targets at each step on the last 10 steps |
| esn | an echo state network of 300 tanh units, with ridge regression on the mean and the last state; of targets at each step on the state there |
| minirocket | 10,000 features of MiniRocket (aeon) and ridge regression; not for targets at each step |

Penalties, and the spectral radius, leak and input scale of the echo state network, are chosen on the training part: by leave-one-out,
of targets at each step in 5 folds of whole sequences.
Sequences of unequal lengths are padded with zeros. What is drawn at random is drawn for each seed.

`scripts/bench` reads one JSON object from the last line of standard output: for each file what its inputs are, and for each peer the
`scores` by seed, and `seconds` of each.
"""
import argparse
import importlib.metadata
import itertools
import json
import platform
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np
import quality_data
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.preprocessing import StandardScaler

ALPHAS = np.logspace(-3, 3, 13)
LAGS = 10
FOLDS = 5
UNITS = 300
RADII, LEAKS, SCALES = (0.5, 0.95), (0.1, 0.3, 1.0), (0.1, 1.0)


def is_labels(part):
    return part.y.dtype.kind in "iub"


def is_series(part):
    return part.y.ndim == 3


def score(predicted, test):
    """Accuracy; or the mean over outputs of the mean square error over the variance of the test targets."""
    if is_labels(test):
        return float(np.mean(predicted == test.y))
    truth = test.y.astype(float).reshape(len(test.y), -1)
    if is_series(test):
        truth = test.y.astype(float)[test.valid()]
    error = np.mean((predicted.reshape(truth.shape) - truth) ** 2, 0)
    return float(np.mean(error / truth.var(0)))


class RidgeByFolds:
    """Ridge regression of targets at each step, with the penalty that is best in folds of whole sequences: steps of one sequence are
    alike, so that leaving a single one out shows nothing."""

    def __init__(self, sequences):
        self.fold = sequences % FOLDS

    def fit(self, x, y):
        errors = np.zeros(len(ALPHAS))
        for fold in np.unique(self.fold):
            kept, held = self.fold != fold, self.fold == fold
            for i, (weight, bias) in enumerate(ridge_path(x[kept], y[kept])):
                errors[i] += np.sum((x[held] @ weight + bias - y[held]) ** 2)
        self.best_score_ = -errors.min()
        self.weight, self.bias = list(ridge_path(x, y))[errors.argmin()]
        return self

    def predict(self, x):
        return x @ self.weight + self.bias


def ridge_path(x, y):
    """Weights and intercept for each penalty, by one decomposition."""
    mean, level = x.mean(0), y.mean(0)
    values, vectors = np.linalg.eigh((x - mean).T @ (x - mean))
    target = vectors.T @ ((x - mean).T @ (y - level))
    for alpha in ALPHAS:
        weight = vectors @ (target / (values.clip(0) + alpha)[:, None])
        yield weight, level - mean @ weight


def fit_and_score(train, test, features):
    """Score on the test part and in the choice of the penalty, by ridge regression on features of both parts, `[sample, feature]`, or
    `[sample, time, feature]` for targets at each step."""
    rows = [of[part.valid()] if is_series(part) else of for part, of in zip((train, test), features)]
    if is_series(train):
        model, y = RidgeByFolds(np.nonzero(train.valid())[0]), train.y[train.valid()].astype(float)
    elif is_labels(train):
        model, y = RidgeClassifierCV(ALPHAS), train.y
    else:
        model, y = RidgeCV(ALPHAS), train.y.reshape(len(train.y), -1)
    scale = StandardScaler().fit(rows[0])
    model.fit(scale.transform(rows[0]), y)
    return score(model.predict(scale.transform(rows[1])), test), model.best_score_


def nearest(train, test, _):
    a, b = (part.x.reshape(len(part.x), -1) for part in (train, test))
    distance = (b**2).sum(1)[:, None] + (a**2).sum(1) - 2 * b @ a.T
    predicted = train.y[distance.argmin(1)]
    return score(predicted[test.valid()] if is_series(test) else predicted, test)


def lagged(part):
    """The last steps at each step, zeros before the first: `[sample, time, LAGS channel]`."""
    steps = part.x.shape[1]
    x = np.pad(part.x, [(0, 0), (LAGS - 1, 0), (0, 0)])
    return np.concatenate([x[:, lag : lag + steps] for lag in range(LAGS)], 2)


def ridge(train, test, _):
    features = lagged if is_series(train) else lambda part: part.x.reshape(len(part.x), -1)
    return fit_and_score(train, test, [features(part) for part in (train, test)])[0]


def states(part, w_in, w, leak):
    """States of the network, `[sample, time, unit]`."""
    h, every = np.zeros([len(part.x), UNITS]), []
    for t in range(part.x.shape[1]):
        h = (1 - leak) * h + leak * np.tanh(part.x[:, t] @ w_in[:-1] + w_in[-1] + h @ w)
        every.append(h)
    return np.stack(every, 1)


def mean_and_last(part, of_steps):
    mean = (of_steps * part.valid()[:, :, None]).sum(1) / part.lengths[:, None]
    return np.concatenate([mean, of_steps[np.arange(len(of_steps)), part.lengths - 1]], 1)


def echo_state(train, test, seed):
    rng = np.random.default_rng(seed)
    w_in = rng.uniform(-1, 1, [train.x.shape[2] + 1, UNITS])
    w = rng.normal(size=[UNITS, UNITS])
    w /= np.abs(np.linalg.eigvals(w)).max()
    found = []
    for radius, leak, scale in itertools.product(RADII, LEAKS, SCALES):
        of_steps = [states(part, scale * w_in, radius * w, leak) for part in (train, test)]
        if is_series(train):
            features = [np.concatenate([part.x, h], 2) for part, h in zip((train, test), of_steps)]
        else:
            features = [mean_and_last(part, h) for part, h in zip((train, test), of_steps)]
        found.append(fit_and_score(train, test, features))
    return max(found, key=lambda found: found[1])[0]


def mini_rocket(train, test, seed):
    from aeon.transformations.collection.convolution_based import MiniRocket

    rocket = MiniRocket(random_state=seed).fit(train.x.transpose(0, 2, 1).astype("float32"))
    return fit_and_score(train, test, [rocket.transform(part.x.transpose(0, 2, 1).astype("float32")) for part in (train, test)])[0]


# Each peer, and whether it draws anything at random.
PEERS = {"1-nn": (nearest, False), "ridge": (ridge, False), "esn": (echo_state, True), "minirocket": (mini_rocket, True)}


def measure(train, test, seeds):
    found = {}
    for name, (peer, random) in PEERS.items():
        if name == "minirocket" and (is_series(train) or train.x.shape[1] < 9):
            continue
        scores, seconds = [], []
        for seed in range(seeds if random else 1):
            began = time.perf_counter()
            scores.append(peer(train, test, seed))
            seconds.append(time.perf_counter() - began)
        found[name] = {"scores": scores, "seconds": seconds}
    return found


def warm_up():
    """Has numba compile what MiniRocket runs, which is no part of its seconds."""
    rng = np.random.default_rng(0)
    part = quality_data.Part(rng.normal(size=[8, 20, 1]), np.arange(8) % 2, np.full(8, 20))
    mini_rocket(part, part, 0)
    part.x = rng.normal(size=[8, 20, 3])
    mini_rocket(part, part, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="(%(default)s)")
    options = parser.parse_args()
    warm_up()
    sets = {}
    for path in options.files:
        inputs, train, test = quality_data.read(path)
        metric = "accuracy" if is_labels(train) else "nmse"
        sets[path.stem] = inputs | {"metric": metric, "peers": measure(train, test, options.seeds)}
    versions = {name: importlib.metadata.version(name) for name in ("aeon", "scikit-learn", "numpy")}
    print(json.dumps({"sets": sets, "versions": versions | {"python": platform.python_version()}}))


if __name__ == "__main__":
    main()
