"""1,000 neurons with conductances, 800 excitatory and 200 inhibitory ones, 20 % connected, trained and timed in BrainPy 2.9.0: the
network of coba.toml. 100 inputs; two leaky integrators read the excitatory neurons.

`--synapses` chooses how BrainPy holds them: `dense` with a mask, or `csr`, which needs numba.
"""
import argparse

from common import Clock, bm, bp, np, report, set_up, to_numpy

INPUTS, OUTPUTS, CONNECTED = 100, 2, 0.2
RATE_HZ = 5.0
SIZES = {"in": INPUTS, "E": 800, "I": 200}


def synapses(kind, before, after, scale, seed):
    rng = np.random.RandomState(seed)
    connected = rng.rand(before, after) < CONNECTED
    if kind == "csr":
        conn = bp.conn.MatConn(connected)
        return bp.dnn.CSRLinear(conn(before, after), scale * rng.rand(int(connected.sum())).astype(np.float32))
    weights = (scale * rng.rand(before, after)).astype(np.float32)
    return bp.dnn.MaskedLinear(bp.conn.MatConn(connected)(before, after), weights)


class Network(bp.DynSysGroup):
    def __init__(self, options):
        super().__init__()
        neurons = dict(
            V_rest=-60.0, V_th=-50.0, V_reset=-60.0, tau=20.0, tau_ref=2.0, V_initializer=bp.init.Uniform(-60.0, -50.0),
            spk_fun=bm.surrogate.InvSquareGrad(alpha=10.0), detach_spk=True,
        )
        self.E, self.I = (bp.dyn.LifRef(SIZES[name], **neurons) for name in "EI")

        def project(comm, out, tau, post):
            return bp.dyn.HalfProjAlignPost(comm=comm, syn=bp.dyn.Expon(post.num, tau=tau), out=out, post=post)

        number = iter(range(options.seed + 1, options.seed + 100))
        for source, scale, reversal, tau in (("in", 1.0, 0.0, 5.0), ("E", 0.01, 0.0, 5.0), ("I", 0.1, -80.0, 10.0)):
            for target in "EI":
                comm = synapses(options.synapses, SIZES[source], SIZES[target], scale, next(number))
                out = bp.dyn.COBA(E=reversal)
                setattr(self, f"{source}2{target}", project(comm, out, tau, getattr(self, target)))
        self.read = bp.dnn.Dense(SIZES["E"], OUTPUTS, b_initializer=None)
        self.o_syn = bp.dyn.Expon(OUTPUTS, tau=10.0)
        self.o = bp.dyn.Leaky(OUTPUTS, tau=5.0)

    def update(self, spikes):
        e, i = self.E.spike.value, self.I.spike.value
        for target in "EI":
            getattr(self, f"in2{target}")(spikes)
            getattr(self, f"E2{target}")(e)
            getattr(self, f"I2{target}")(i)
        self.E(), self.I()
        return self.o(self.o_syn(self.read(e)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--updates", type=int, default=10, help="2 or more, the first one is not counted")
    parser.add_argument("--synapses", choices=["dense", "csr"], default="dense")
    parser.add_argument("--seed", type=int, default=1234)
    options = parser.parse_args()

    set_up(options.seed)
    bm.set_dt(1.0)
    with bm.training_environment():
        net = Network(options)
    rng = np.random.RandomState(options.seed)
    spikes = (rng.rand(options.samples, options.steps, INPUTS) < RATE_HZ / 1000).astype(np.float32)
    labels = (rng.rand(options.samples) < 0.5).astype(np.float32)
    loss = lambda outputs, labels: bp.losses.cross_entropy_loss(bm.max(outputs, axis=1), labels)
    trainer = bp.BPTT(net, loss_fun=loss, optimizer=bp.optim.Adam(lr=2e-3))
    clock = Clock(trainer)
    batch = bm.asarray(spikes), bm.asarray(labels)
    trainer.fit(lambda: iter([batch]), num_epoch=options.updates, num_report=options.updates)
    monitors = {"E": net.E.spike, "I": net.I.spike}
    runner = bp.DSRunner(net, monitors=monitors, progress_bar=False)
    runner.run(inputs=batch[0], reset_state=True)
    rates = {name: 1000 * float(to_numpy(runner.mon[name]).mean()) for name in monitors}
    report(job="coba", dtype="float32", seconds=clock.seconds(), rates_hz=rates, synapses=options.synapses)


if __name__ == "__main__":
    main()
