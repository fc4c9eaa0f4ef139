"""The numbers of baselines.rs, by scikit-learn: `python baselines.py` with numpy and scikit-learn."""
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

TRAIN, FOLD = 12, np.arange(12) % 5
i, t, c = np.ogrid[:18, :9, :2]
x = np.sin(1.7 * (i + 1) + 0.37 * (t + 2) * (c + 1) * (i % 5 + 1)) + 0.1 * i * c
of_sequence = x[:, 2, 0] - x[:, 5, 1] + 0.5 * np.cos(1.3 * i[:, 0, 0])
of_step = 0.5 * x[:, :, 1] + np.pad(x[:, :-3, 0], [(0, 0), (3, 0)]) + 0.3 * np.cos(1.9 * i[:, :, 0] * t[:, :, 0])
labels = np.digitize(of_sequence, [-0.7, 0.7])


def ridge(features, y, fold, new, penalties=10.0 ** np.arange(-3, 4)):
    scale = StandardScaler().fit(features)
    features, new = scale.transform(features), scale.transform(new)
    held = lambda alpha: cross_val_predict(Ridge(alpha), features, y, cv=PredefinedSplit(fold))
    alpha = penalties[0] if len(penalties) == 1 else min(penalties, key=lambda alpha: ((held(alpha) - y) ** 2).sum())
    print(f"  alpha {alpha}")
    return Ridge(alpha).fit(features, y).predict(new)


def mse(name, predicted, truth):
    print(name, repr(np.mean((predicted - truth) ** 2)))


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
print("ridge", ridge(flat[:TRAIN], one_hot, FOLD, flat[TRAIN:]).argmax(1))
print("moments", ridge(moments[:TRAIN], one_hot, FOLD, moments[TRAIN:], [1.0]).argmax(1))

y, truth = of_step[:TRAIN], of_step[TRAIN:]
mse("mean of steps", y.mean(0), truth)
predicted = ridge(lags[:TRAIN].reshape(-1, 20), y.reshape(-1), FOLD.repeat(9), lags[TRAIN:].reshape(-1, 20))
mse("ridge of steps", predicted.reshape(6, 9), truth)
