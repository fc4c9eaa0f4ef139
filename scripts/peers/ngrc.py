"""BrainPy's tutorial "Training a Brain Dynamics Model", part 1, as a peer of `bd`: NGRC on Lorenz, again and again in one process.

A job is warm-up, fit and test of forecasts 1, 10 and 100 steps ahead, one after the other, as in the tutorial; the series is at
hand. In float64: in float32 BrainPy's solver gives nothing of use. The first job, in which jax compiles, is told apart.
"""
import argparse
import time

from common import IS_224, bm, bp, jax, np, report, set_up, spread, to_numpy

DT = 0.01


def lorenz():
    if IS_224:
        return bp.datasets.lorenz_series(100, dt=DT)
    # 2.9.0 has no data sets; the same equations, integrator and start.
    joint = bp.JointEq([lambda x, t, y: 10 * (y - x), lambda y, t, x, z: x * (28 - z) - y, lambda z, t, x, y: x * y - 8 / 3 * z])
    start = {"x": 8, "y": 1, "z": 1}
    integral = bp.odeint(joint, method="rk4")
    runner = bp.IntegratorRunner(integral, monitors=["x", "y", "z"], inits=start, dt=DT, progress_bar=False)
    runner.run(100)
    return {name: bm.asarray(runner.mon[name]) for name in "xyz"}


def model():
    if IS_224:

        class NGRC(bp.dyn.DynamicalSystem):
            def __init__(self):
                super().__init__()
                self.r = bp.layers.NVAR(3, delay=4, order=2, stride=5, mode=bp.modes.batching)
                self.o = bp.layers.Dense(self.r.num_out, 3, mode=bp.modes.training)

            def update(self, sha, x):
                return self.o(sha, self.r(sha, x))

        return NGRC()

    class NGRC(bp.DynamicalSystem):
        def __init__(self):
            super().__init__()
            self.r = bp.dyn.NVAR(3, delay=4, order=2, stride=5)
            self.o = bp.dnn.Dense(self.r.num_out, 3, mode=bm.training_mode)

        def update(self, x):
            return self.o(self.r(x))

    with bm.environment(bm.batching_mode):
        return NGRC()


def job(data):
    """Test MSE of each horizon."""
    part = lambda start, end: bm.hstack([data[name][start:end] for name in "xyz"]).reshape((1, end - start, 3))
    trainer = (bp.train.RidgeTrainer if IS_224 else bp.RidgeTrainer)(model(), alpha=1e-6, progress_bar=False)
    errors = []
    for ahead in (1, 10, 100):
        jax.block_until_ready(to_numpy(trainer.predict(part(0, 2000))))
        trainer.fit([part(2000, 8000), part(2000 + ahead, 8000 + ahead)])
        predictions = trainer.predict(part(8000, 10_000 - ahead))
        errors.append(float(bp.losses.mean_squared_error(part(8000 + ahead, 10_000), predictions)))
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    set_up(1234, double=True)
    data = lorenz()
    ends = [time.perf_counter()]
    for _ in range(1 + repeats):
        errors = job(data)
        ends.append(time.perf_counter())
    seconds = np.diff(ends)
    report(job="ngrc", test_mse=errors, seconds={"first": seconds[0], "job": spread(seconds[1:])})


if __name__ == "__main__":
    main()
