"""`scripts/bench --compare A.json B.json`: two files that `scripts/bench JOB --json FILE` has written, of one job, or two of
`cargo bench --bench NAME -- --json FILE`.

A machine is never twice the same, so that times of two days say little. The peers ran beside bd both times: what counts is how bd's time
for each update or job changed in units of the fastest peer that both files have, round by round. A change counts as one where the ranges of the two do not
overlap. Files of `cargo bench` have no peers: only where both are of one machine on one day do their times say something.
"""
import json
import sys
from pathlib import Path
from statistics import median


def read(path):
    """The job, or the benchmark, and what the file says of it."""
    try:
        report = json.loads(Path(path).read_text())
        return (report["bench"] if "bench" in report else report["options"]["job"]), report
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(
            f"scripts/bench: {path} is no file of scripts/bench JOB --json FILE, or of cargo bench --bench NAME -- --json FILE: {error!r}"
        )


def times(report):
    """Milliseconds of each program, round by round."""
    found = {}
    for run in report["runs"]:
        seconds = run["result"]["seconds"]
        timed = seconds.get("update") or seconds["job"]
        found.setdefault(run["program"], {})[run.get("round", 1)] = 1e3 * timed["median"]
    return found


def ratios(of, other):
    return [of[number] / other[number] for number in sorted(of) if number in other]


def shown(values, digits=3):
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def verdict(before, after):
    """Of times, or of ratios of times: whether they fell or rose, beyond the spread of both."""
    change = f"{100 * (median(after) / median(before) - 1):+.1f} %"
    if max(after) < min(before):
        return f"{change}, faster"
    if min(after) > max(before):
        return f"{change}, slower"
    return f"{change}, within the spread"


def compare_benches(before, after):
    """Case by case, two files of `cargo bench`."""
    for name, report in (("before", before), ("after", after)):
        machine = report["machine"]
        print(f"{name}: git {report['git']}, {machine['cpu']}, {machine['threads']} threads, load {machine['load_at_start']}")
    if before["machine"]["cpu"] != after["machine"]["cpu"]:
        print("The processors differ: times cannot be compared closely.")
    of = lambda report: {case["name"]: [1e3 * case[key] for key in ("least_s", "median_s", "most_s")] for case in report["figures"]}
    first, second = of(before), of(after)
    width = max((len(name) for name in first), default=0) + 2
    print(f"\n{'':{width}}{'ms before':>28}{'ms after':>28}   change")
    for name in [name for name in first if name in second]:
        a, b = first[name], second[name]
        print(f"{name:{width}}{shown(a):>28}{shown(b):>28}   {verdict(a, b)}")
    for name in sorted(set(first) ^ set(second)):
        print(f"{name:{width}}only in {'the first' if name in first else 'the second'}")


def main(paths):
    (job, before), (other, after) = map(read, paths)
    if job != other or ("bench" in before) != ("bench" in after):
        sys.exit(f"scripts/bench: {paths[0]} is of {job}, {paths[1]} of {other}; two files of one job can be compared")
    if "bench" in before:
        return compare_benches(before, after)
    for what in ("steps", "updates"):
        if before["options"].get(what) != after["options"].get(what):
            sys.exit(f"scripts/bench: --{what} is {before['options'].get(what)} in {paths[0]}, {after['options'].get(what)} in {paths[1]}")
    for name, report in (("before", before), ("after", after)):
        bd, machine = report["machine"].get("bd", {}), report["machine"]
        load = f"load {machine['load_at_start'][0]:.2f}"
        print(f"{name}: git {bd.get('git', 'unknown')}, {machine['cpu']}, {load}")
    if before["machine"]["cpu"] != after["machine"]["cpu"]:
        print("The processors differ: neither times nor ratios can be compared closely.")
    first, second = times(before), times(after)
    print(f"\n{'':14}{'ms before':>28}{'ms after':>28}   change")
    for name in [name for name in first if name in second]:
        a, b = list(first[name].values()), list(second[name].values())
        print(f"{name:14}{shown(a, 1):>28}{shown(b, 1):>28}   {verdict(a, b)}")
    peers = [name for name in first if name != "bd" and name in second]
    if "bd" not in first or "bd" not in second or not peers:
        return
    fastest = min(peers, key=lambda name: median(first[name].values()))
    a, b = ratios(first["bd"], first[fastest]), ratios(second["bd"], second[fastest])
    print(f"\nbd in times of {fastest}: {shown(a)} before, {shown(b)} after: {verdict(a, b)}.")
