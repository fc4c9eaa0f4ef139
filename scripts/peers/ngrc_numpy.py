"""The tutorial's NGRC job in plain numpy, as a peer of `bd`: the same features, and ridge regression by a QR factorisation as a
careful user would write it. Warm-up, fit and test of forecasts 1, 10 and 100 steps ahead; the series is at hand.

With --shared the three horizons share one factorisation; else each has its own. The features are built once in both.
"""
import argparse
import json
import platform
import time

import numpy as np

DELAY, STRIDE, ALPHA, HORIZONS = 4, 5, 1e-6, (1, 10, 100)
FIRST, SECOND = np.triu_indices(3 * DELAY)


def lorenz(points, dt=0.01):
    f = lambda u: np.array([10 * (u[1] - u[0]), u[0] * (28 - u[2]) - u[1], u[0] * u[1] - 8 / 3 * u[2]])
    u, series = np.array([8.0, 1.0, 1.0]), []
    for _ in range(points):
        a = f(u)
        b = f(u + dt / 2 * a)
        c = f(u + dt / 2 * b)
        u = u + dt / 6 * (a + 2 * b + 2 * c + f(u + dt * c))
        series.append(u)
    return np.array(series)


def features(series):
    """With the intercept first."""
    memory = (DELAY - 1) * STRIDE
    padded = np.concatenate([np.zeros((memory, 3)), series])
    linear = np.concatenate([padded[memory - k * STRIDE : len(padded) - k * STRIDE] for k in range(DELAY)], axis=1)
    return np.concatenate([np.ones((len(series), 1)), linear, linear[:, FIRST] * linear[:, SECOND]], axis=1)


def ridge(design, targets):
    """By the R factors of [design | targets] and then of [R; sqrt(alpha) I]: a Gram matrix would lose half of the digits."""
    n = design.shape[1]
    r = np.linalg.qr(np.concatenate([design, targets], axis=1), mode="r")
    penalty = np.concatenate([np.sqrt(ALPHA) * np.eye(n), np.zeros((n, targets.shape[1]))], axis=1)
    r = np.linalg.qr(np.concatenate([r, penalty]), mode="r")
    return np.linalg.solve(r[:n, :n], r[:n, n:])


def job(series, shared):
    """Test MSE of each horizon."""
    design = features(series)
    train, test = design[2000:8000], design[8000:]
    targets = [series[2000 + ahead : 8000 + ahead] for ahead in HORIZONS]
    if shared:
        weights = np.split(ridge(train, np.concatenate(targets, axis=1)), 3, axis=1)
    else:
        weights = [ridge(train, target) for target in targets]
    design[:2000] @ weights[0]  # the warm-up's predictions
    return [float(((test[:-h] @ w - series[8000 + h :]) ** 2).mean()) for h, w in zip(HORIZONS, weights)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--shared", action="store_true")
    options = parser.parse_args()
    series = lorenz(10_000)
    ends = [time.perf_counter()]
    for _ in range(1 + options.repeats):
        errors = job(series, options.shared)
        ends.append(time.perf_counter())
    p10, median, p90 = np.percentile(np.diff(ends)[1:], [10, 50, 90]).tolist()
    seconds = {"first": ends[1] - ends[0], "job": {"median": median, "p10": p10, "p90": p90}}
    versions = {"numpy": np.__version__, "python": platform.python_version()}
    print(json.dumps({"job": "ngrc", "test_mse": errors, "seconds": seconds, "versions": versions}))


if __name__ == "__main__":
    main()
