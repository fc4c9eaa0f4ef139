"""Lets BrainPy 2.2.4 run on jax 0.4.13, the oldest jax that can still be installed. Import before brainpy.

BrainPy 2.2.4 was written for jax 0.3. Names that jax has removed since, and that BrainPy only imports or checks with,
are put back. `msort`, which computes, is what jax says to use in its place.
"""
import sys
import types
import warnings

warnings.filterwarnings("ignore")

import jax
import jax._src.api
import jax.core
import jax.interpreters.mlir
import jax.interpreters.pxla
import jax.numpy as jnp


def put_back(module, name, value):
    if not hasattr(module, name):
        setattr(module, name, value)


def check_callable(function):
    if not callable(function):
        raise TypeError(f"expected a callable, got {function}")


put_back(jnp, "msort", lambda a: jnp.sort(a, axis=0))
put_back(jax._src.api, "_check_callable", check_callable)
put_back(jax.interpreters.pxla, "ShardedDeviceArray", type("ShardedDeviceArray", (), {}))
put_back(jax.interpreters.mlir, "lower_fun", None)
abstract_arrays = types.ModuleType("jax.abstract_arrays")
abstract_arrays.ShapedArray = jax.core.ShapedArray
sys.modules.setdefault("jax.abstract_arrays", abstract_arrays)
put_back(jax, "abstract_arrays", abstract_arrays)
