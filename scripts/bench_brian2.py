"""`scripts/bench brian2`: neurons by themselves, beside Brian2's C++ program of the very same text.

4,000 neurons of the zoo, 10,000 steps of 0.1 ms, spikes recorded, in float32 and float64, on one thread and on two. Of both programs the least of
five runs counts, without the time to compile; a ratio is that of the better of one and two threads of Brian2 to the better of bd.
"""
import argparse
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ZOO = ROOT / "crates/bd-equations/zoo"


def arguments(given):
    parser = argparse.ArgumentParser(prog="scripts/bench brian2", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", default="lif,adex,hh", metavar="NAMES", help="of the zoo, with one input (%(default)s)")
    parser.add_argument("--threads", default="1,2", metavar="LIST", help="of each program (%(default)s)")
    parser.add_argument("--python", type=Path, metavar="PROGRAM", help="a Python that has what peers/requirements-brian2.txt lists")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    return parser.parse_args(given)


def build():
    """The bench of populations as a program."""
    command = ["cargo", "bench", "--quiet", "-p", "bd-equations", "--bench", "population", "--no-run", "--message-format=json"]
    made = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = (json.loads(line) for line in made.splitlines() if line.startswith("{"))
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "population")


def run_bd(program, names, threads):
    found = {}
    for count in threads:
        told = subprocess.run([program, "--json", "--threads", count, *names], check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in map(json.loads, told.splitlines()):
            found[f"{line['neuron']} {line['dtype']} {count}"] = line
    return found


def print_table(bd, peer, names, threads):
    heads = [f"{program}, {count} thr." for program in ("bd", "Brian2") for count in threads]
    print(f"\n{'seconds':20}" + "".join(f"{head:>16}" for head in heads) + f"{'times as fast':>16}{'spikes':>22}")
    for name in names:
        for dtype in ("float32", "float64"):
            rows = [[found[f"{name} {dtype} {count}"] for count in threads] for found in (bd, peer)]
            seconds = [[run["seconds"] for run in row] for row in rows]
            figures = "".join(f"{value:16.4f}" for row in seconds for value in row)
            spikes = " / ".join(str(row[0]["spikes"]) for row in rows)
            print(f"{name + ' ' + dtype:20}{figures}{min(seconds[1]) / min(seconds[0]):16.1f}{spikes:>22}")
    starts = [run["start_ms"] for run in bd.values()]
    print(f"From its text to a program that runs, bd takes {min(starts):.2f} to {max(starts):.2f} ms.")


def main(given, environment):
    options = arguments(given)
    names, threads = options.neurons.split(","), options.threads.split(",")
    python = options.python or environment("brian2")
    bd = run_bd(build(), names, threads)
    command = [python, "-B", ROOT / "scripts/peers/neurons_brian2.py", ZOO, "--neurons", options.neurons, "--threads", options.threads]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "2"}).stdout
    peer = json.loads(told.strip().splitlines()[-1])
    print_table(bd, peer["runs"], names, threads)
    print(f"Brian2 {peer['version']}")
    if options.json:
        options.json.write_text(json.dumps({"bd": bd, "brian2": peer}, indent=1) + "\n")
