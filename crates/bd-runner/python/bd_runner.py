"""Trained models of bd in a control loop, without libtorch.

    import bd_runner

    runner = bd_runner.open("runs/my-run")
    y = runner.step(x)        # x: [inputs] in the units of the data; y: [outputs], the bytes of bd predict
    runner.reset()

With lanes=n, n sequences share the weights: x is [n, inputs], y [n, outputs]. Where an encoder spreads a sample over several
steps of the model, y has an axis for these before the outputs. float32 in is float32 out, anything else float64.
"""

import ctypes
import os

import numpy

__all__ = ["Runner", "open"]


def _load():
    name = os.environ.get("BD_RUNNER_LIBRARY") or os.path.join(os.path.dirname(__file__), "libbd_runner.so")
    library = ctypes.CDLL(name)
    handle, size = ctypes.c_void_p, ctypes.c_size_t
    types = {
        "open": (handle, [ctypes.c_char_p, size]),
        "close": (None, [handle]),
        "inputs": (size, [handle]),
        "outputs": (size, [handle]),
        "substeps": (size, [handle]),
        "lanes": (size, [handle]),
        "step": (ctypes.POINTER(ctypes.c_float), [handle, handle, size]),
        "step_f64": (ctypes.POINTER(ctypes.c_double), [handle, handle, size]),
        "reset": (ctypes.c_int, [handle]),
        "reset_lane": (ctypes.c_int, [handle, size]),
        "error": (ctypes.c_char_p, [handle]),
    }
    for name, (result, arguments) in types.items():
        function = getattr(library, "bd_runner_" + name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


class Runner:
    """A trained model with the state of one sequence, or of `lanes`. Made by `open`."""

    def __init__(self, run, lanes=1):
        self._handle = None
        self._many = lanes != 1
        self._handle = _library.bd_runner_open(os.fsencode(run), lanes)
        if not self._handle:
            raise ValueError(_library.bd_runner_error(None).decode())
        self.inputs, self.outputs = _library.bd_runner_inputs(self._handle), _library.bd_runner_outputs(self._handle)
        self.substeps, self.lanes = _library.bd_runner_substeps(self._handle), _library.bd_runner_lanes(self._handle)
        lead = ((self.lanes,) if self._many else ()) + ((self.substeps,) if self.substeps > 1 else ())
        self._shape = lead + (self.outputs,)

    def step(self, x):
        """One step of all lanes."""
        if self._handle is None:
            raise ValueError("the runner was closed")
        x = numpy.asarray(x)
        single = x.dtype == numpy.float32
        x = numpy.ascontiguousarray(x, numpy.float32 if single else numpy.float64)
        expected = (self.lanes, self.inputs) if self._many else (self.inputs,)
        if x.shape != expected:
            raise ValueError(f"a step takes an array of shape {expected}, and {x.shape} was given")
        step = _library.bd_runner_step if single else _library.bd_runner_step_f64
        y = step(self._handle, x.ctypes.data, x.size)
        if not y:
            raise ValueError(_library.bd_runner_error(self._handle).decode())
        return numpy.ctypeslib.as_array(y, self._shape).copy()

    def reset(self, lane=None):
        """Sets all lanes, or one, to the state before the first step."""
        if self._handle is None:
            raise ValueError("the runner was closed")
        failed = _library.bd_runner_reset(self._handle) if lane is None else _library.bd_runner_reset_lane(self._handle, lane)
        if failed:
            raise IndexError(f"there is no lane {lane}; there are {self.lanes}")

    def close(self):
        """Frees the runner."""
        if self._handle is not None:
            _library.bd_runner_close(self._handle)
            self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()


def open(run, lanes=1):
    """Opens the folder of a run of `bd train`."""
    return Runner(run, lanes)
