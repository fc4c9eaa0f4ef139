"""`scripts/bench networks`: networks of examples/networks, beside Brian2's C++ program of the very same text, and NEST.

One second of cuba, coba and cobahh (4,000 neurons) and of brunel (12,500 neurons, 15.6 million synapses) in steps of 0.1 ms, spikes recorded, on
one thread and on two; of each program the least of three runs, NEST's of one. Loops of bd are compiled by the same C++ compiler as Brian2's
program. Peers calculate in float64. A ratio is that of the
better of one and two threads of the peer to the better of bd in float64. Each program draws synapses of its own, so that rates are alike and not
equal.
"""
import argparse
import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ROOT / "examples/networks"


def arguments(given):
    parser = argparse.ArgumentParser(prog="scripts/bench networks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2", metavar="LIST", help="of each program (%(default)s)")
    parser.add_argument("--python", type=Path, metavar="PROGRAM", help="a Python that has what peers/requirements-brian2.txt lists")
    parser.add_argument("--nest", type=Path, metavar="PROGRAM", help="a Python that has NEST; without, it is left out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    return parser.parse_args(given)


def build():
    """The bench of networks as a program."""
    command = ["cargo", "bench", "--quiet", "-p", "bd-networks", "--bench", "networks", "--no-run", "--message-format=json"]
    made = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = (json.loads(line) for line in made.splitlines() if line.startswith("{"))
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "networks")


def run_bd(program, threads):
    found = {}
    for count in threads:
        told = subprocess.run([program, "--json", "--compile", "--threads", count], check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in map(json.loads, told.splitlines()):
            found[f"{line['network']} {line['dtype']} {count}"] = line
    return found


def run_peer(python, script, threads):
    command = [python, "-B", ROOT / "scripts/peers" / script, NETWORKS, "--threads", ",".join(threads)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()[-1])


def print_table(bd, peers, threads):
    heads = [f"{program}, {count} thr." for program in ("bd float32", "bd float64", "peer") for count in threads]
    print(f"\n{'seconds':10}" + "".join(f"{head:>20}" for head in heads) + f"{'times as fast':>16}  rates of the first population, Hz")
    for name in ("cuba", "coba", "cobahh", "brunel"):
        peer = [peers.get(f"{name} {count}") for count in threads]
        if None in peer:
            continue
        rows = [[bd[f"{name} {dtype} {count}"] for count in threads] for dtype in ("float32", "float64")] + [peer]
        seconds = [[run["ran_s"] for run in row] for row in rows]
        figures = "".join(f"{value:20.4f}" for row in seconds for value in row)
        ours = next(iter(rows[1][0]["populations"].values()))["rate_hz"]
        theirs = next(iter(peer[0]["rates_hz"].values()))
        print(f"{name:10}{figures}{min(seconds[2]) / min(seconds[1]):16.1f}  {ours:.1f} / {theirs:.1f}")


def main(given, environment):
    options = arguments(given)
    threads = options.threads.split(",")
    bd = run_bd(build(), threads)
    told = [run_peer(options.python or environment("brian2"), "networks_brian2.py", threads)]
    if options.nest:
        told.append(run_peer(options.nest, "networks_nest.py", threads))
    print_table(bd, {name: run for peer in told for name, run in peer["runs"].items()}, threads)
    print("Peers: Brian2 " + " and NEST ".join(peer["version"] for peer in told))
    if options.json:
        options.json.write_text(json.dumps({"bd": bd, "peers": told}, indent=1) + "\n")
