"""Trains experiments as other processors compute them, and compares predictions and metrics bit by bit.

    .venv/bin/python -m benchmarks.processor_features     # writes the table of docs/reproducibility.md

Environment variables choose the instructions of libraries; none can add a feature to the processor. Takes five minutes
on two cores, and needs the texts of Reuters.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.project_clone import ROOT, command_environment
from modelyard import params
from modelyard.core import machine
from modelyard.core.environment import AVX2, ONE_THREAD, QUIET
from modelyard.core.report_text import fill, markdown_table
from modelyard.params.variants import resolve
from modelyard.replication.single_run import Job, PreparedJob, prepared_inputs, train_and_evaluate

PAGE, BEGIN = ROOT / "docs" / "reproducibility.md", "<!-- measured -->"
EXPERIMENTS = {
    "digits_mlp": "dense network",
    "digits_cnn": "convolutional network",
    "reuters_rnn": "GRU",
    "boston_boosting": "gradient boosting",
    "boston_linear": "least squares",
}
EPOCHS = {"reuters_rnn": 1}  # it takes long; the others train as long as ever, to show what becomes of a last bit
THREADS = 2  # instead of those of params.yaml

Trained = Mapping[str, Mapping[str, Any]]


VARIANTS: dict[str, dict[str, str | None]] = {
    "repeated": {},
    "without these variables": dict.fromkeys(AVX2),
    "oneDNN with all instructions": {"ONEDNN_MAX_CPU_ISA": None},
    "oneDNN with AVX at most": {"ONEDNN_MAX_CPU_ISA": "AVX"},
    "TensorFlow without oneDNN's operations": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "OpenBLAS for this processor": {"OPENBLAS_CORETYPE": None, "OPENBLAS_L2_SIZE": None},
    "OpenBLAS for Sandybridge": {"OPENBLAS_CORETYPE": "Sandybridge"},
    "NumPy with all instructions": {"NPY_DISABLE_CPU_FEATURES": None},
    "NumPy without X86_V3": {"NPY_DISABLE_CPU_FEATURES": f"X86_V3 {AVX2['NPY_DISABLE_CPU_FEATURES']}"},
    "C library without AVX2 and FMA": {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA"},
}
"""The environment variables of each way to compute, besides those of a stage; None: not set."""


def measure() -> tuple[Trained, dict[str, Trained]]:
    """Train the experiments, and again in each way: what the first training gave, and each other one."""
    first = _train_in_another_process({})
    again = {name: _train_in_another_process(each) for name, each in VARIANTS.items()}
    return first, again | {f"{THREADS} threads": _train_in_another_process({}, THREADS)}


def table(first: Trained, again: Mapping[str, Trained]) -> str:
    """A row per way to compute, a column per experiment."""
    header = ["", *(f"`{name}` ({what})" for name, what in EXPERIMENTS.items())]
    rows = [[how, *(_cell(first[name], trained[name]) for name in EXPERIMENTS)] for how, trained in again.items()]
    epochs = ", ".join(f"{count} of `{name}`" for name, count in EPOCHS.items())
    return (
        f"Measured on: {machine.processor()} with {', '.join(machine.cpu_features()) or 'unknown features'}; epochs: "
        f"{epochs}, all of the others.\n\n{markdown_table(header, rows)}"
    )


def train(threads: int | None) -> dict[str, dict[str, Any]]:
    """Train each experiment in this process: its metrics, and the hash of its predictions on test samples."""
    project = params.load(ROOT / "params.yaml")
    runtime = project.runtime.model_copy(update={"threads": threads} if threads else {})
    with TemporaryDirectory() as folder:
        raw, jobs = Path(folder), []
        for name in EXPERIMENTS:
            changes = {"training.epochs": EPOCHS[name]} if name in EPOCHS else {}
            project.files_of(project.dataset_of(name), ROOT).fetch(raw / project.dataset_of(name))
            file = raw / f"{name}.json"
            jobs.append(Job(name, resolve(project, name, changes), runtime, file, keeps_predictions=True))
        with prepared_inputs(jobs, raw) as prepared:
            return {each.job.experiment: _summary(each) for each in prepared}


def _summary(prepared: PreparedJob) -> dict[str, Any]:
    result = train_and_evaluate(prepared)
    columns = [value.astype(str) if value.dtype == object else value for value in result["predictions"].values()]
    digest = hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()
    return {"metrics": result["metrics"], "predictions": digest}


def _cell(first: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    """Whether predictions and metrics have equal bits; if not, the largest relative change of a metric."""
    if first == again:
        return "equal"
    changes = [abs(again["metrics"][name] - value) / abs(value) for name, value in first["metrics"].items() if value]
    change = f"metrics change by up to {max(changes):.1g}" if any(changes) else "equal metrics"
    return f"other bits; {change}"


def _train_in_another_process(variables: Mapping[str, str | None], threads: int | None = None) -> Trained:
    command = [sys.executable, "-m", "benchmarks.processor_features", "train", *([str(threads)] if threads else [])]
    chosen = command_environment() | QUIET | ONE_THREAD | AVX2 | {"PYTHONPATH": str(ROOT / "src")} | variables
    around = {name: value for name, value in chosen.items() if value is not None}
    done = subprocess.run(command, cwd=ROOT, env=around, check=True, stdout=subprocess.PIPE, text=True)
    print(variables, threads, done.stdout, flush=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Write the results into the page, between its markers."""
    fill(PAGE, f"\n{table(*measure())}\n", start=BEGIN)


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        print(json.dumps(train(int(sys.argv[2]) if sys.argv[2:] else None)))
    else:
        main()
