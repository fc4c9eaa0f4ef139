"""The numbers of baselines.rs, by scikit-learn: `python baselines.py` with numpy and scikit-learn."""
from hashlib import sha256

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

TRAIN = 12
i, t, c = np.ogrid[:18, :9, :2]
x = np.sin(1.7 * (i + 1) + 0.37 * (t + 2) * (c + 1) * (i % 5 + 1)) + 0.1 * i * c
of_sequence = x[:, 2, 0] - x[:, 5, 1] + 0.5 * np.cos(1.3 * i[:, 0, 0])
of_step = 0.5 * x[:, :, 1] + np.pad(x[:, :-3, 0], [(0, 0), (3, 0)]) + 0.3 * np.cos(1.9 * i[:, :, 0] * t[:, :, 0])
labels = np.digitize(of_sequence, [-0.7, 0.7])


def uniform(name, count):
    """Of the stream `name` of seed 0: Philox 4x32-10, two numbers of 53 bits a block (`rng.rs` of bd-core)."""
    key, found = int.from_bytes(sha256(bytes(8) + name.encode()).digest()[:8], "little"), []
    for block in range((count + 1) // 2):
        counter, keys = [block, 0, 0, 0], [key % 2**32, key >> 32]
        for _ in range(10):
            a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
            counter = [b >> 32 ^ counter[1] ^ keys[0], b % 2**32, a >> 32 ^ counter[3] ^ keys[1], a % 2**32]
            keys = [(keys[0] + 0x9E3779B9) % 2**32, (keys[1] + 0xBB67AE85) % 2**32]
        found += [counter[0] | counter[1] << 32, counter[2] | counter[3] << 32]
    return [(bits >> 11) / 2**53 for bits in found[:count]]


def deal(classes):
    """Samples in an order that is drawn within each class, one after the other to five folds."""
    drawn, fold = uniform("folds", len(classes)), np.zeros(len(classes), int)
    fold[sorted(range(len(classes)), key=lambda i: (classes[i], drawn[i]))] = np.arange(len(classes)) % 5
    return fold


def ridge(features, y, fold, new, penalties=10.0 ** np.arange(-3, 4)):
    scale = StandardScaler().fit(features)
    features, new = scale.transform(features), scale.transform(new)
    held = lambda alpha: cross_val_predict(Ridge(alpha), features, y, cv=PredefinedSplit(fold))
    alpha = penalties[0] if len(penalties) == 1 else min(penalties, key=lambda alpha: ((held(alpha) - y) ** 2).sum())
    print(f"  alpha {alpha}")
    return Ridge(alpha).fit(features, y).predict(new)


def mse(name, predicted, truth):
    print(name, repr(np.mean((predicted - truth) ** 2)))


FOLD, FOLD_OF_LABELS = deal([0] * TRAIN), deal(labels[:TRAIN])
print("folds", FOLD, FOLD_OF_LABELS, labels[:TRAIN])
one_hot = np.eye(3)[labels[:TRAIN]]
flat, z = x.reshape(18, -1), (x - x[:TRAIN].mean((0, 1))) / x[:TRAIN].std((0, 1))
moments = np.concatenate([x.mean(1), x.std(1)], 1)
lags = np.concatenate([np.pad(z, [(0, 0), (9, 0), (0, 0)])[:, 9 - lag : 18 - lag] for lag in range(10)], 2).reshape(18, 9, -1)

y, truth = of_sequence[:TRAIN], of_sequence[TRAIN:]
mse("mean", y.mean(), truth)
mse("moments", ridge(moments[:TRAIN], y, FOLD, moments[TRAIN:], [1.0]), truth)
mse("ridge", ridge(flat[:TRAIN], y, FOLD, flat[TRAIN:]), truth)
nearest = KNeighborsRegressor(1).fit(z[:TRAIN].reshape(TRAIN, -1), y)
mse("nearest", nearest.predict(z[TRAIN:].reshape(6, -1)), truth)

print("labels", np.bincount(labels[:TRAIN]), labels[TRAIN:])
print("ridge", ridge(flat[:TRAIN], one_hot, FOLD_OF_LABELS, flat[TRAIN:]).argmax(1))
print("moments", ridge(moments[:TRAIN], one_hot, FOLD_OF_LABELS, moments[TRAIN:], [1.0]).argmax(1))

y, truth = of_step[:TRAIN], of_step[TRAIN:]
mse("mean of steps", y.mean(0), truth)
predicted = ridge(lags[:TRAIN].reshape(-1, 20), y.reshape(-1), FOLD.repeat(9), lags[TRAIN:].reshape(-1, 20))
mse("ridge of steps", predicted.reshape(6, 9), truth)
