"""`scripts/bench esn`: reservoirs of bd beside those of ReservoirPy, by one plan (peers/reservoir_data.py).

Tables: seconds by the clock, and of all cores together, of the states, and of states and fit together (of bd, R factor and weights; of ReservoirPy, its Gram matrix); test
NRMSE by the standard deviation of Mackey-Glass and NARMA10 with equal units and settings, of the seeds; and the memory capacity of 100
units. With `--search N` the seconds that one of so many settings of 500 units takes that are drawn, fitted and scored by a validation part, of
whole runs of `bd train esn --search N`. The programs take turns on the same cores; ratios of times are taken within a round. Every program has `--threads` threads.
"""
import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from statistics import median

PEERS = Path(__file__).resolve().parent / "peers"


def arguments(given):
    parser = argparse.ArgumentParser(prog="scripts/bench esn", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns of both programs (%(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="of results (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of each program (%(default)s)")
    parser.add_argument("--fit-10000", type=int, default=0, metavar="STEPS", help="the fit of 10,000 units to so many steps, too: minutes")
    parser.add_argument("--search", type=int, default=0, metavar="N", help="a search among so many settings, too")
    parser.add_argument("--only-search", action="store_true", help="nothing but that")
    parser.add_argument("--bd", type=Path, nargs=2, metavar="PROGRAM", help="bd and this bench, instead of those that are built")
    parser.add_argument("--python", type=Path, metavar="PROGRAM", help="a Python that has what peers/requirements-reservoirpy.txt lists")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    options = parser.parse_args(given)
    if options.only_search and not options.search:
        parser.error("--only-search wants --search N")
    return options


def spread(values, digits):
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def case_words(case):
    series = f", {case['series']} series" if case["series"] > 1 else ""
    return f"{case['units']} units, {case['steps']} steps{series}, {case.get('dtype', 'f64')}"


def peer_of(cases, case):
    """The place of the peer's measurement of the same sizes, which is in float64."""
    doubles = [other for other in cases if other.get("dtype") != "f32"]
    same = lambda other: all(other.get(key) == case.get(key) for key in ("units", "steps", "series"))
    return next(i for i, other in enumerate(doubles) if same(other))


def print_speed(cases, runs, clock):
    words = "seconds" if clock == "wall" else "seconds of all cores"
    print(f"\n{words:44}{'bd':>24}{'ReservoirPy, f64':>24}{'times as fast':>24}")
    for i, case in enumerate(cases):
        other = peer_of(cases, case)
        for part in ("states", "fit") if case.get("fit") else ("states",):
            pairs = [(bd["speed"][i][part][clock], peer["speed"][other][part][clock]) for bd, peer in runs]
            columns = [spread([pair[side] for pair in pairs], 3) for side in (0, 1)]
            # Of all cores it is known to a hundredth of a second.
            ratio = spread([peer / max(bd, 0.01) for bd, peer in pairs], 1)
            words = case_words(case) + (", states and fit" if part == "fit" else ", states")
            print(f"{words:44}{columns[0]:>24}{columns[1]:>24}{ratio:>24}")


def print_results(plan, bd, peer):
    print(f"\n{'NRMSE by the standard deviation':44}{'bd':>28}{'ReservoirPy':>28}")
    for task, own, other in zip(plan["tasks"], bd["tasks"], peer["tasks"]):
        words = f"{task['task']}, {task['units']} units"
        print(f"{words:44}{spread(own, 4):>28}{spread(other, 4):>28}")
    print(f"\n{'memory capacity of 100 units':44}{'bd':>28}{'ReservoirPy':>28}")
    for name, own in bd["memory"].items():
        other = peer["memory"].get(name)
        print(f"{name:44}{spread(own, 1):>28}{spread(other, 1) if other else '-':>28}")


def search_of_bd(bd, plan, folder, threads, measure):
    """As ReservoirPy's: seconds of a setting, of a whole run, and the best score."""
    one = plan["search"]
    parts = [one[part] for part in ("train", "validation", "test")]
    split = ",".join(str(part / sum(parts)) for part in parts)
    options = {
        "--data": f"{folder}/{one['file']}",
        "--horizon": one["horizon"],
        "--units": one["units"],
        "--washout": one["washout"],
        "--alpha": one["ridge"],
        "--split": split,
        "--search": one["settings"] - 1,  # beside those of the configuration
        "--threads": threads,
    }
    density = f"reservoir.matrix.density={one['inputs_a_unit'] / one['units']}"
    words = [str(word) for pair in options.items() for word in pair]
    run = measure("bd", [*map(str, bd), "train", "esn", *words, "--set", density, "--json", "--quiet"])
    took = {"wall": run["seconds"], "cpu": run["cpu_seconds"]}
    best = run["result"]["metrics"]["objective"]
    return {name: seconds / one["settings"] for name, seconds in took.items()} | {"best": best}


def print_search(plan, runs):
    one = plan["search"]
    print(f"\n{'a search of %d settings of %d units' % (one['settings'], one['units']):44}{'bd':>24}{'ReservoirPy, f64':>24}{'times as fast':>24}")
    for clock, words in (("wall", "seconds of a setting"), ("cpu", "of all cores")):
        pairs = [(bd[clock], peer[clock]) for bd, peer in runs]
        columns = [spread([pair[side] for pair in pairs], 3) for side in (0, 1)]
        print(f"{words:44}{columns[0]:>24}{columns[1]:>24}{spread([peer / bd for bd, peer in pairs], 1):>24}")
    print(f"{'NRMSE of the best':44}{runs[0][0]['best']:>24.4f}{runs[0][1]['best']:>24.4f}")


def main(given, build, environment, measure, say):
    options = arguments(given)
    python = options.python or environment("reservoirpy")
    bd, bench = [[program.resolve()] for program in options.bd] if options.bd else build("reservoir")
    # Of libtorch and of numpy alike; the loops of bd have an option.
    threads = {name: str(options.threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-B", PEERS / "reservoir_data.py", folder, "--seeds", options.seeds, "--fit-10000", options.fit_10000, "--search", options.search]
        subprocess.run([str(part) for part in command], check=True)
        plan = json.loads(Path(folder, "plan.json").read_text())
        if options.only_search:
            plan |= {"speed": [], "tasks": [], "memory_seeds": 0}
            Path(folder, "plan.json").write_text(json.dumps(plan))
        commands = {
            "bd": [*bench, "--threads", options.threads, "--plan", f"{folder}/plan.json"],
            "reservoirpy": [python, "-B", PEERS / "reservoir.py", "--plan", f"{folder}/plan.json"],
        }
        runs, searches = [], []
        for number in range(1, options.rounds + 1):
            row = [measure(name, ["env", *(f"{key}={value}" for key, value in threads.items()), *map(str, command)]) for name, command in commands.items()]
            runs.append([run["result"] for run in row])
            if options.search:
                own = search_of_bd(bd, plan, folder, options.threads, measure)
                searches.append((own, runs[-1][1]["search"]))
            say(f"round {number} of {options.rounds}: " + ", ".join(f"{run['program']} {run['seconds']:.0f} s" for run in row))
    if not options.only_search:
        for clock in ("wall", "cpu"):
            print_speed(plan["speed"], runs, clock)
        print_results(plan, *runs[0])
    if options.search:
        print_search(plan, searches)
    versions = {name: result["versions"] for name, result in zip(commands, runs[0])}
    print(f"\n{options.threads} threads each; load average {os.getloadavg()[0]:.1f} at the end. {versions}")
    if options.json:
        options.json.write_text(json.dumps({"plan": plan, "runs": runs, "searches": searches, "versions": versions, "load": os.getloadavg()}, indent=1) + "\n")
