"""BrainPy's tutorial on spiking networks, trained and timed: 100 inputs, 10 LIF neurons and 2 outputs learn to sort
random spike trains into two classes, by backpropagation through time with a surrogate gradient and Adam.

The network is the tutorial's in both versions: exponential synapses from all to all, without bias, and spikes that
reach the outputs one step later. (The modules that 2.9.0 adds make it another one, about as fast.) `--neuron adex` has adaptive
exponential neurons instead, with BrainPy's numbers and method.
"""
import argparse
import time

from common import IS_224, Clock, bm, bp, np, report, set_up, to_numpy

INPUTS, OUTPUTS = 100, 2
RATE_HZ = 5.0


def neurons(name, count, mode):
    if name == "adex":
        return bp.neurons.AdExIF(count, mode=mode)
    return bp.neurons.LIF(count, tau=10, V_reset=0, V_rest=0, V_th=1.0, mode=mode)


def build(group, mode, options):
    """`group` and `mode` are BrainPy's names for a network and for training, which differ between the versions."""

    class Network(group):
        def __init__(self):
            super().__init__()
            self.i = bp.neurons.InputGroup(INPUTS, mode=mode)
            if not IS_224:  # the synapse asks for it, although it is given the spikes
                self.i.spike = bm.Variable(bm.zeros((1, INPUTS)), batch_axis=0)
            self.r = neurons(options.neuron, options.hidden, mode)
            self.o = bp.neurons.LeakyIntegrator(OUTPUTS, tau=5, mode=mode)
            self.i2r = self.synapse(self.i, self.r, options.seed + 1)
            self.r2o = self.synapse(self.r, self.o, options.seed + 2)

        def synapse(self, before, after, seed):
            weights = bp.init.KaimingNormal(scale=20.0, seed=seed)
            return bp.synapses.Exponential(
                before, after, bp.conn.All2All(), output=bp.synouts.CUBA(), tau=10.0, g_max=weights, mode=mode
            )

        def update(self, *arguments):
            *shared, spikes = arguments  # BrainPy 2.2.4 hands the time and the like to every part, 2.9.0 to none
            self.i2r(*shared, spikes)
            self.r2o(*shared)
            self.r(*shared)
            self.o(*shared)
            return self.o.V.value

    return Network()


def network(options):
    if IS_224:
        return build(bp.dyn.Network, bp.modes.training, options)
    with bm.training_environment():
        return build(bp.DynSysGroup, bm.training_mode, options)


def data(samples, steps, seed):
    """Random spikes and labels; sample by sample, so that the peak of memory is BrainPy's and not this function's."""
    rng = np.random.RandomState(seed)
    spikes = np.empty((samples, steps, INPUTS), np.float32)
    for sample in spikes:
        sample[:] = rng.rand(steps, INPUTS) < RATE_HZ * bm.get_dt() / 1000
    return bm.asarray(spikes), bm.asarray((rng.rand(samples) < 0.5).astype(np.float32))


def loss(outputs, labels):
    return bp.losses.cross_entropy_loss(bm.max(outputs, axis=1), labels)


def fit(net, spikes, labels, updates):
    """Trains as each version's documentation does: 2.2.4 takes arrays, which it shuffles, and 2.9.0 batches."""
    trainer = (bp.train.BPTT if IS_224 else bp.BPTT)(net, loss_fun=loss, optimizer=bp.optim.Adam(lr=2e-3))
    clock = Clock(trainer)
    if IS_224:
        trainer.fit([spikes, labels], batch_size=len(spikes), num_epoch=updates, num_report=updates)
    else:
        trainer.fit(lambda: iter([(spikes, labels)]), num_epoch=updates, num_report=updates)
    return clock


def predict(net, spikes):
    """With the spikes and membrane potentials of the hidden neurons recorded, as in the tutorial."""
    monitors = {"r.spike": net.r.spike, "r.V": net.r.V}
    if IS_224:
        runner = bp.dyn.DSRunner(net, monitors=monitors, progress_bar=False)
        outputs = runner.run(inputs=spikes, inputs_are_batching=True, reset_state=True)
    else:
        runner = bp.DSRunner(net, monitors=monitors, progress_bar=False)
        outputs = runner.run(inputs=spikes, reset_state=True)
    return to_numpy(outputs), to_numpy(runner.mon["r.spike"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--steps", type=int, default=2000, help="time steps of a sample")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=10, help="neurons")
    parser.add_argument("--neuron", choices=["lif", "adex"], default="lif")
    parser.add_argument("--updates", type=int, default=30, help="2 or more, the first one is not counted")
    parser.add_argument("--seed", type=int, default=1234)
    options = parser.parse_args()

    set_up(options.seed)
    net = network(options)
    spikes, labels = data(options.samples, options.steps, options.seed)
    clock = fit(net, spikes, labels, options.updates)
    began = time.perf_counter()
    outputs, hidden = predict(net, spikes)
    seconds = clock.seconds() | {"predict": time.perf_counter() - began}
    right = outputs.max(axis=1).argmax(axis=1) == to_numpy(labels)
    spike_counts = {"input": float(to_numpy(spikes).sum()), "hidden": float(hidden.sum())}
    report(
        job="snn",
        dtype=str(outputs.dtype),
        seconds=seconds,
        loss={"first": clock.losses[0], "last": clock.losses[-1]},
        accuracy=float(right.mean()),
        spikes=spike_counts,
    )


if __name__ == "__main__":
    main()
