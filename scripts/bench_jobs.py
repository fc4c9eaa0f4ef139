"""What scripts/bench times: the jobs, their peers, and the environments of these."""

# Environments and the Python that each needs; what is in one is in peers/requirements-NAME.txt.
ENVIRONMENTS = {"brainpy-2.2.4": "3.11", "brainpy-2.9.0": "3.12", "snn-libraries": "3.12", "quality": "3.11", "reservoirpy": "3.11", "brian2": "3.11"}
BRAINPY = {name: (name, "{job}.py") for name in ("brainpy-2.2.4", "brainpy-2.9.0")}
SNN_LIBRARIES = {
    name: ("snn-libraries", "{job}.py --library " + name) for name in ("snntorch", "norse", "spikingjelly")
} | {f"{name}-compiled": ("snn-libraries", f"{{job}}.py --library {name} --compile") for name in ("snntorch", "norse")}
# What is timed; for bd and its peers environment, program and options; sizes that no option sets; sizes of --scaling.
JOBS = {
    "snn": {
        "timed": "update",
        "bd": "train snn --dtype f32 --threads {threads} --json --quiet --out run --steps {steps} --samples {samples} "
        "--batch {samples} --hidden {hidden} --epochs {updates}",
        "peers": BRAINPY,
        "peer": "--steps {steps} --samples {samples} --updates {updates}",
        "sizes": {"steps": 2000, "samples": 256, "hidden": 10},
        "scaling": {
            "steps": [{"steps": n, "samples": 32, "hidden": 10} for n in (100, 1000, 10000, 100000)],
            "samples": [{"steps": 1000, "samples": n, "hidden": 10} for n in (1, 8, 64, 256, 1024)],
            "hidden": [{"steps": 200, "samples": 32, "hidden": n} for n in (10, 64, 512, 4096)],
        },
    },
    "adex": {
        "timed": "update",
        "bd": "train snn --dtype f32 --threads {threads} --json --quiet --out run --set model.neuron=adex --steps {steps} "
        "--samples {samples} --batch {samples} --hidden {hidden} --epochs {updates}",
        "peers": {"brainpy-2.9.0": ("brainpy-2.9.0", "snn.py --neuron adex")},
        "peer": "--steps {steps} --samples {samples} --hidden {hidden} --updates {updates}",
        "sizes": {"steps": 500, "samples": 32, "hidden": 1000},
        "updates": 10,
    },
    "coba": {
        "timed": "update",
        "bd": "train snn --dtype f32 --threads {threads} --json --quiet --out run --model {root}/scripts/peers/coba.toml --steps {steps} "
        "--samples {samples} --batch {samples} --epochs {updates}",
        "peers": {"brainpy-2.9.0": ("brainpy-2.9.0", "coba.py")},
        "peer": "--steps {steps} --samples {samples} --updates {updates}",
        "sizes": {"steps": 500, "samples": 32},
        "updates": 10,
    },
    "rnn": {
        "timed": "update",
        "bd": "train rnn --dtype f32 --threads {threads} --json --quiet --out run --updates {updates} --set checkpoint_every=0",
        "peers": BRAINPY,
        "peer": "--updates {updates}",
        "sizes": {},
        "updates": 500,
    },
    "ngrc": {
        "timed": "job",
        "bench": "--json --repeats 100",
        "peers": BRAINPY
        | {
            "numpy-3-qr": ("brainpy-2.2.4", "ngrc_numpy.py"),
            "numpy-1-qr": ("brainpy-2.2.4", "ngrc_numpy.py --shared"),
        },
        "peer": "",
        "sizes": {},
    },
    "recurrent": {"timed": "job", "bench": "--json", "peers": SNN_LIBRARIES, "peer": "", "sizes": {}},
    "lif": {"timed": "job", "bench": "--json", "peers": SNN_LIBRARIES, "peer": "", "sizes": {}},
}
