"""What the peer programs share: BrainPy set up for a fair run, a clock around its trainer, the result as JSON.

`scripts/bench` reads one JSON object from the last line of standard output. It has `seconds.update`, or of ngrc `seconds.job`
(`median`, `p10`, `p90`) and `versions`; all else is for the reader.
"""
import importlib.metadata
import json
import os
import platform
import time
import warnings

os.environ.setdefault("JAX_PLATFORMS", "cpu")
warnings.filterwarnings("ignore")
IS_224 = importlib.metadata.version("brainpy").startswith("2.2.4")
if IS_224:
    import compat224  # noqa: F401

import brainpy as bp
import brainpy.math as bm
import jax
import numpy as np


def set_up(seed, double=False):
    """float32, or float64, on the CPU, everything random from `seed`."""
    np.random.seed(seed)
    bm.enable_x64() if double else bm.disable_x64()
    bm.set_platform("cpu")
    bm.random.seed(seed)


def to_numpy(array):
    """BrainPy's arrays and variables are wrappers around jax's."""
    return np.asarray(getattr(array, "value", array))


class Clock:
    """Notes when each update of a trainer is done, and its loss.

    It waits for each result, since jax returns before it has computed. The time from one end to the next is a whole
    update: shuffling the data where the trainer does that, the reset of the states, forward, backward, optimiser.
    """

    def __init__(self, trainer):
        self.losses, self.ends = [], []
        if IS_224:  # its trainer asks for the compiled function anew at each update
            compiled = trainer.f_train
            trainer.f_train = lambda shared_args=None: self.around(compiled(shared_args))
        else:
            trainer._jit_step_func_fit = self.around(trainer._jit_step_func_fit)
        self.began = time.perf_counter()

    def around(self, update):
        def timed(*arguments):
            result = update(*arguments)
            jax.block_until_ready([getattr(leaf, "value", leaf) for leaf in jax.tree_util.tree_leaves(result)])
            self.ends.append(time.perf_counter())
            self.losses.append(float(to_numpy(result[0])))
            return result

        return timed

    def seconds(self):
        """Quantiles of all updates but the first, which is told apart because it compiles."""
        return {"first": self.ends[0] - self.began, "update": spread(np.diff(self.ends))}


def spread(seconds):
    p10, median, p90 = np.percentile(seconds, [10, 50, 90]).tolist()
    return {"median": median, "p10": p10, "p90": p90}


def report(**result):
    versions = {name: importlib.metadata.version(name) for name in ("brainpy", "jax", "jaxlib", "numpy")}
    print(json.dumps(result | {"versions": versions | {"python": platform.python_version()}}))
