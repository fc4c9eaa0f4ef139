"""`scripts/bench quality --data FOLDER`: how good `bd train` with its defaults is on every .npz set of a folder, beside other methods.

Of `bd train rnn`, `snn`, `conv`, `esn` and `auto` each seed is a training. The others are those of peers/quality.py: the
nearest neighbour, ridge regression, an echo state network and MiniRocket. A row has the score on the test part, its median over the
seeds with least and most, and the seconds of one run: of bd those of the whole program, of the others those of fit and prediction.

Scores are accuracies (more is better), or NMSE, the mean square error over the variance of the targets (less is better). What a
program does not do is left out, with its reason on standard error.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

PEERS = Path(__file__).resolve().parent / "peers"
THREADS = 2


def arguments(given):
    parser = argparse.ArgumentParser(prog="scripts/bench quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="where the .npz files are")
    parser.add_argument("--seeds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--bd", type=Path, metavar="PROGRAM", help="this bd, instead of one that is built")
    parser.add_argument("--python", type=Path, metavar="PROGRAM", help="a Python that has what peers/requirements-quality.txt lists")
    parser.add_argument("--peers-only", action="store_true", help="without bd")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    options = parser.parse_args(given)
    if not (files := sorted(options.data.glob("*.npz"))):
        parser.error(f"no .npz files in {options.data}")
    return options, [file.resolve() for file in files]


def jobs_of(about):
    """Options of `bd train` by job for a set: without a job for what it does not take."""
    if about["inputs"] == "events":
        dt = ["--dt", repr(about["dt_ms"])] if "dt_ms" in about else []
        return {"snn": dt, "conv": dt, "esn": dt, "auto": dt}
    encode = [] if about["inputs"] == "spikes" else ["--encode", "current"]
    return {"rnn": [], "snn": encode, "conv": [], "esn": [], "auto": []}


def train(bd, job, extra, file, seeds, metric, measure, say):
    """Scores and seconds by seed; `None` if one of the trainings fails."""
    found = {"scores": [], "seconds": []}
    for seed in range(seeds):
        options = ["--data", file, "--seed", seed, "--threads", THREADS, "--json", "--quiet", "--out", "run", *extra]
        try:
            run = measure(f"bd {job}", [*map(str, bd), "train", job, *map(str, options)])
        except RuntimeError as error:
            say(f"{file.stem}: going on without bd {job}: {str(error).splitlines()[-1]}")
            return None
        found["scores"].append(run["result"]["metrics"][f"test_{metric}"])
        found["seconds"].append(run["seconds"])
    return found


def print_table(sets):
    print(f"\n{'':20}{'':10}{'':14}{'test part':>24}{'seconds':>10}")
    for name, about in sets.items():
        for program, found in about["programs"].items():
            scores, seconds = found["scores"], median(found["seconds"])
            spread = f"{median(scores):.3f} ({min(scores):.3f}..{max(scores):.3f})"
            print(f"{name:20}{about['metric']:10}{program:14}{spread:>24}{seconds:10.2f}")
    print("Median over the seeds, and least..most. Of accuracy more is better, of NMSE less.")


def main(given, build, environment, measure, say):
    options, files = arguments(given)
    bd = None if options.peers_only else [options.bd.resolve()] if options.bd else build("quality")[0]
    python = options.python or environment("quality")
    peers = [python, "-B", PEERS / "quality.py", "--seeds", str(options.seeds), *files]
    told = measure("peers", list(map(str, peers)))["result"]
    sets = {}
    for file in files:
        about = told["sets"][file.stem]
        programs = {}
        for job, extra in jobs_of(about).items() if bd else ():
            if found := train(bd, job, extra, file, options.seeds, about["metric"], measure, say):
                programs[f"bd {job}"] = found
                say(f"{file.stem}: bd {job}: {median(found['scores']):.3f}")
        sets[file.stem] = {"metric": about["metric"], "programs": programs | about["peers"]}
    print_table(sets)
    print(", ".join(f"{name} {version}" for name, version in told["versions"].items()))
    if options.json:
        options.json.write_text(json.dumps(sets, indent=1) + "\n")
    if bd and not any(name.startswith("bd") for about in sets.values() for name in about["programs"]):
        sys.exit("scripts/bench: none of bd's trainings ended well")
