#!/usr/bin/env python3
"""An Optuna study of `bd train rnn` with two workers on one SQLite file, and with pruning: prints the best trial, and how many ended how.

    pip install -r scripts/peers/requirements-optuna.txt
    python3 examples/optuna_study.py --bd scripts/bd --out study

A trial is a process of `bd`. While it trains, the validation loss of each line of its metrics.jsonl goes to Optuna; a trial that is to be
pruned gets SIGTERM. What is optimised is `metrics.objective`, which is never of the test part.
"""

import argparse
import json
import multiprocessing
import pathlib
import signal
import subprocess
import time

import optuna

STOPPED = 143  # by SIGTERM, with a checkpoint


def reports(path, read):
    """Step and validation loss of the whole lines of a metrics.jsonl behind byte `read`, and the byte behind them."""
    if not path.exists():
        return [], read
    with path.open("rb") as file:
        file.seek(read)
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    lines = [json.loads(line) for line in whole.splitlines()]
    found = [(line["step"], line["validation_loss"]) for line in lines if line["split"] == "train"]
    return [(step, loss) for step, loss in found if loss is not None], read + len(whole)


def objective(trial, options):
    """Trains once, and returns the objective."""
    run = pathlib.Path(options.out) / f"trial-{trial.number:04}"
    settings = {
        "optim.lr": trial.suggest_float("optim.lr", 1e-5, 10.0, log=True),
        "model.cell": trial.suggest_categorical("model.cell", ["rnn", "gru", "lstm"]),
        "model.hidden": trial.suggest_int("model.hidden", 4, 64, log=True),
        "batch": trial.suggest_categorical("batch", [16, 32, 64]),
        "updates": options.updates,
        "report_every": max(1, options.updates // 12),
    }
    command = [options.bd, "train", "rnn", "--json", "--quiet", "--threads", "1", "--out", str(run), "--set"]
    command += [f"{name}={value}" for name, value in settings.items()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        read, pruned = 0, False
        while process.poll() is None:
            found, read = reports(run / "metrics.jsonl", read)
            for step, loss in found:
                trial.report(loss, step)
            if found and not pruned and trial.should_prune():
                process.send_signal(signal.SIGTERM)
                pruned = True
            time.sleep(0.02)
        result = json.loads(process.stdout.read())
    # One that was done before the signal came is a whole trial.
    if process.returncode == STOPPED and pruned:
        raise optuna.TrialPruned
    if process.returncode != 0:
        raise RuntimeError(result["error"]["message"])  # a failed trial, which the study records
    return result["metrics"]["objective"]


def worker(number, options):
    """Runs its share of the trials of the study."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = 1000 * options.seed + number  # another one for each worker, or all would draw the same
    # Trials of other workers that are not done yet count as bad ones, so that not all look at the same place.
    tpe = lambda: optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    samplers = {"tpe": tpe, "random": lambda: optuna.samplers.RandomSampler(seed=seed)}
    sampler = samplers[options.sampler]()
    study = optuna.load_study(study_name="bd", storage=storage(options), sampler=sampler, pruner=pruner(options))
    share = options.trials // options.workers + (number < options.trials % options.workers)
    study.optimize(lambda trial: objective(trial, options), n_trials=share, catch=RuntimeError)


def pruner(options):
    return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=options.updates // 3)


def storage(options):
    return f"sqlite:///{options.out}/study.db"


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--bd", default="bd", help="the program")
    words.add_argument("--out", default="study", help="folder of the study; with a study in it, that one goes on")
    words.add_argument("--sampler", choices=["tpe", "random"], default="tpe")
    words.add_argument("--trials", type=int, default=30)
    words.add_argument("--updates", type=int, default=300)
    words.add_argument("--workers", type=int, default=2)
    words.add_argument("--seed", type=int, default=0)
    options = words.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pathlib.Path(options.out).mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(study_name="bd", storage=storage(options), load_if_exists=True)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=worker, args=(number, options)) for number in range(options.workers)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
    states = {}
    for trial in study.trials:
        states[trial.state.name.lower()] = states.get(trial.state.name.lower(), 0) + 1
    best = study.best_trial
    print(json.dumps({"sampler": options.sampler, "objective": best.value, "values": best.params, "trial": best.number, "ended": states}))


if __name__ == "__main__":
    main()
