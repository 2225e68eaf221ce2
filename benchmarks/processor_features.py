"""Rebuilds experiments as other processors compute them, and compares their bytes and metrics.

    .venv/bin/python -m benchmarks.processor_features     # writes the table of docs/reproducibility.md

Environment variables make libraries compute as on a processor with fewer features; none can add a feature. Takes ten
minutes on two cores, and needs the texts of Reuters.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.project_clone import ROOT, ProjectClone, command_environment, git
from modelyard.core import machine
from modelyard.core.files import write_text
from modelyard.core.report_text import markdown_table
from modelyard.replication.verification import RebuildVerdict

PAGE, BEGIN, END = ROOT / "docs" / "reproducibility.md", "<!-- measured -->", "<!-- end -->"
EXPERIMENTS = {
    "digits_mlp": "dense network",
    "digits_cnn": "convolutional network",
    "reuters_rnn": "GRU",
    "boston_boosting": "gradient boosting",
    "boston_linear": "least squares",
}
EPOCHS = 3  # of the networks: bits that differ after one epoch stay different
THREADS = 2  # instead of those of params.yaml
CHANGE = re.compile(r"^\w+ (\S+) -> (\S+), ")  # of a metric, as `modelyard verify --json` has it

Found = Mapping[str, Mapping[str, Any]]


def variants(features: Sequence[str]) -> dict[str, dict[str, str]]:
    """The environment variables of each way to compute with fewer features than this processor has."""
    has_avx512 = "avx512f" in features
    isa, core = ("AVX2", "Haswell") if has_avx512 else ("AVX", "Sandybridge")
    numpy = "X86_V4 AVX512_ICL AVX512_SPR" if has_avx512 else "X86_V3"
    libc = "-AVX512F" if has_avx512 else "-AVX2,-FMA"
    return {
        "as built": {},
        f"oneDNN with {isa} at most": {"ONEDNN_MAX_CPU_ISA": isa},
        "TensorFlow without oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
        f"OpenBLAS for {core}": {"OPENBLAS_CORETYPE": core},
        f"NumPy without {numpy.partition(' ')[0]}": {"NPY_DISABLE_CPU_FEATURES": numpy},
        f"C library with {libc}": {"GLIBC_TUNABLES": f"glibc.cpu.hwcaps={libc}"},
    }


def measure() -> dict[str, Found]:
    """Build the experiments in a clone, and verify them in each way; the verdicts by experiment."""
    with TemporaryDirectory(prefix="modelyard-benchmark-") as folder:
        clone = ProjectClone(Path(folder) / "clone")
        git("clone", "--quiet", str(ROOT), str(clone.root), folder=ROOT)
        clone.rewrite("params.yaml", _shorten)
        _modelyard(clone.root, "run", *EXPERIMENTS)
        found = {name: _verify(clone.root, each) for name, each in variants(machine.cpu_features()).items()}
        clone.rewrite("params.yaml", lambda params: params["runtime"].update(threads=THREADS))
        return found | {f"{THREADS} threads": _verify(clone.root, {})}


def _shorten(params: dict[str, Any]) -> None:
    params["studies"] = {}  # whose ranges must hold the epochs of their experiments
    for name in EXPERIMENTS:
        training = params["experiments"][name]["training"]
        if "epochs" in training:
            training["epochs"] = EPOCHS


def table(found: Mapping[str, Found]) -> str:
    """The verdicts as a page: a row per way to compute, a column per experiment."""
    header = ["", *(f"`{name}` ({what})" for name, what in EXPERIMENTS.items())]
    rows = [[how, *(_cell(verdicts[name]) for name in EXPERIMENTS)] for how, verdicts in found.items()]
    features = ", ".join(machine.cpu_features()) or "unknown features"
    return (
        f"Measured on: {machine.processor()} with {features}; {EPOCHS} epochs of each network.\n\n"
        f"{markdown_table(header, rows)}"
    )


def _cell(verdict: Mapping[str, Any]) -> str:
    """The verdict, and the largest relative change of a metric on the test samples."""
    changes = [match for text in verdict["metrics"] if (match := CHANGE.match(text))]
    if verdict["verdict"] == RebuildVerdict.EQUAL or not changes:
        return str(verdict["verdict"]) + (", equal metrics" if verdict["verdict"] == RebuildVerdict.WITHIN else "")
    largest = max(abs(float(now) / float(then) - 1) for then, now in (match.groups() for match in changes))
    return f"{verdict['verdict']}, metrics change by up to {largest:.1g}"


def _verify(root: Path, variables: Mapping[str, str]) -> Found:
    output = _modelyard(root, "verify", *EXPERIMENTS, "--json", **variables)
    return {verdict["experiment"]: verdict for verdict in json.loads(output)}


def _modelyard(root: Path, *arguments: str, **variables: str) -> str:
    around = command_environment() | {"PYTHONPATH": str(root / "src"), "MODELYARD_TRACKING": "off"} | variables
    command = [sys.executable, "-m", "modelyard", *arguments]
    done = subprocess.run(command, cwd=root, env=around, stdout=subprocess.PIPE, text=True)
    if done.returncode and arguments[0] == "run":
        sys.exit(done.stdout)
    print(done.stdout, flush=True)
    return done.stdout


def main() -> None:
    """Write the results into the page, between its markers."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    write_text(PAGE, f"{before}{BEGIN}\n\n{table(measure())}\n\n{END}{after}")


if __name__ == "__main__":
    main()
