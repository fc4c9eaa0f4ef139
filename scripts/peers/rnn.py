"""BrainPy's tutorial "Training a Brain Dynamics Model", part 2, as a peer of `bd`: a rate network that learns to integrate white
noise, by BPTT and Adam.

100 units, 25 steps, batches of 128, each drawn anew as in the tutorial. An update is what the trainer compiles: forward, backward,
optimiser; drawing the data and resetting the states are not in it.
"""
import argparse
import time

from common import IS_224, Clock, bm, bp, jax, np, report, set_up, spread, to_numpy

DT, STEPS, BATCH, HIDDEN = 0.04, 25, 128, 100


def draw(_key=None):
    bias = 0.025 * 2.0 * (bm.random.normal(size=(BATCH, 1, 1)) - 0.5)
    inputs = bias + 0.01 / DT**0.5 * bm.random.normal(size=(BATCH, STEPS, 1))
    return inputs, bm.cumsum(inputs, axis=1)


def network():
    init = bp.init.XavierNormal
    if IS_224:

        class RNN(bp.dyn.DynamicalSystem):
            def __init__(self):
                super().__init__()
                self.rnn = bp.layers.RNNCell(1, HIDDEN, train_state=True, Wi_initializer=init(seed=1), Wh_initializer=init(seed=2))
                self.out = bp.layers.Dense(HIDDEN, 1, W_initializer=init(seed=3))

            def update(self, sha, x):
                return self.out(sha, self.rnn(sha, x))

        return RNN()

    class RNN(bp.DynamicalSystem):
        def __init__(self):
            super().__init__()
            self.rnn = bp.dyn.RNNCell(1, HIDDEN, train_state=True, Wi_initializer=init(seed=1), Wh_initializer=init(seed=2))
            self.out = bp.dnn.Dense(HIDDEN, 1, W_initializer=init(seed=3))

        def update(self, x):
            return self.out(self.rnn(x))

    with bm.training_environment():
        return RNN()


class InnerClock(Clock):
    """Times the compiled update alone, and notes its loss."""

    def around(self, update):
        def timed(*arguments):
            began = time.perf_counter()
            result = update(*arguments)
            jax.block_until_ready([getattr(leaf, "value", leaf) for leaf in jax.tree_util.tree_leaves(result)])
            self.ends.append(time.perf_counter() - began)
            self.losses.append(float(to_numpy(result[0])))
            return result

        return timed

    def seconds(self):
        return {"first": self.ends[0], "update": spread(self.ends[1:])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--updates", type=int, default=300, help="2 or more, the first one is not counted")
    updates = parser.parse_args().updates
    set_up(1234)
    net = network()
    decay = bp.optim.ExponentialDecay if IS_224 else bp.optim.ExponentialDecayLR
    optimizer = bp.optim.Adam(lr=decay(lr=0.025, decay_steps=1, decay_rate=0.99975), eps=0.1)

    def loss(predictions, targets):
        weights = net.train_vars().unique().dict()
        return bp.losses.mean_squared_error(predictions, targets) + 2e-4 * bp.losses.l2_norm(weights) ** 2

    trainer = (bp.train.BPTT if IS_224 else bp.BPTT)(net, loss_fun=loss, optimizer=optimizer)
    clock = InnerClock(trainer)
    batches = lambda: (draw() for _ in range(updates))
    if IS_224:
        trainer.fit(batches, batch_size=BATCH, num_epoch=1, num_report=updates)
    else:
        trainer.fit(batches, num_epoch=1)
    at = {str(step): clock.losses[step - 1] for step in range(500, updates + 1, 500)}
    report(job="rnn", seconds=clock.seconds(), loss={"first": clock.losses[0], "last": clock.losses[-1], "at": at})


if __name__ == "__main__":
    main()
