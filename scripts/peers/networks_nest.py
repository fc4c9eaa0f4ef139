"""NEST's Brunel network with the numbers of bd's: `networks_nest.py NETWORKS --threads 1,2`.

One second in steps of 0.1 ms, spikes of all neurons recorded. Seconds are those of Simulate, and of drawing the synapses. Ends with a
line of JSON.
"""
import argparse
import json
import time
import tomllib
from pathlib import Path

import nest

MS = 1000.0


def number(text):
    """Of a value with a unit that NEST has as its own: ms, mV."""
    return float(str(text).split("*")[0])


def measure(text, threads):
    nest.ResetKernel()
    nest.set(resolution=text["dt_ms"], local_num_threads=threads, print_time=False, rng_seed=1)
    neuron = {"C_m": 1.0, "tau_m": 20.0, "t_ref": 2.0, "E_L": 0.0, "V_reset": 0.0, "V_m": 0.0, "V_th": 20.0}
    groups = {name: nest.Create("iaf_psc_delta", text["population"][name]["n"], params=neuron) for name in ("E", "I")}
    background = text["background"][0]
    noise = nest.Create("poisson_generator", params={"rate": 1e3 * number(background["rate"])})
    begin = time.perf_counter()
    for group in groups.values():
        nest.Connect(noise, group, syn_spec={"weight": number(background["weight"]), "delay": text["dt_ms"]})
    recorders = {name: nest.Create("spike_recorder") for name in groups}
    for name, recorder in recorders.items():
        nest.Connect(groups[name], recorder)
    for projection in text["projection"]:
        synapse = {"weight": number(projection["weight"]), "delay": number(projection["delay"])}
        rule = {"rule": "fixed_indegree", "indegree": projection["connect"]["n"]}
        for target in projection["to"]:
            nest.Connect(groups[projection["from"]], groups[target.split(".")[0]], rule, synapse)
    nest.Prepare()
    drawn = time.perf_counter()
    nest.Run(MS)
    ran = time.perf_counter()
    nest.Cleanup()
    rates = {name: recorder.n_events / len(groups[name]) / (MS / 1e3) for name, recorder in recorders.items()}
    return {"drawn_s": drawn - begin, "ran_s": ran - drawn, "rates_hz": rates}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", type=Path)
    parser.add_argument("--threads", default="1,2")
    options = parser.parse_args()
    nest.set_verbosity("M_ERROR") if hasattr(nest, "set_verbosity") else None
    text = tomllib.loads((options.networks / "brunel.toml").read_text())
    found = {f"brunel {threads}": measure(text, int(threads)) for threads in options.threads.split(",")}
    print(json.dumps({"version": nest.__version__, "runs": found}))


if __name__ == "__main__":
    main()
