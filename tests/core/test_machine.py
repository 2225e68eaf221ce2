"""What decides the last bits of a result: found on this machine, and where the system does not say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from support.paths import ROOT

from modelyard.core import machine

INTEL = "model name\t: A processor\nflags\t\t: fpu sse2 avx avx2 fma avx512f avx512bw amx_tile\n"


def described_with(**variables: str) -> dict:
    """The description that another process gives with these environment variables."""
    code = "import json; from modelyard.core import machine; print(json.dumps(machine.describe()))"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | variables
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_the_description_is_json_and_names_the_versions_that_are_imported() -> None:
    found = json.loads(json.dumps(machine.describe()))
    assert found["packages"]["numpy"] == numpy.__version__
    assert {"numpy", "scipy"} <= found["blas"].keys()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def test_the_blas_is_described_with_the_kind_of_core_that_it_computes_for() -> None:
    found = described_with(OPENBLAS_CORETYPE="Sandybridge")
    assert found["blas"]["numpy"].endswith("Sandybridge") or found["blas"]["numpy"].endswith("SandyBridge")
    assert found["variables"]["OPENBLAS_CORETYPE"] == "Sandybridge"


def test_the_features_of_a_processor_are_those_that_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(INTEL)
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    assert machine.processor() == "A processor"
    assert machine.cpu_features() == ["avx", "avx2", "fma", "avx512f", "avx512bw", "amx_tile"]


def test_a_system_that_does_not_say_has_no_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CPUINFO", "CACHES", "GPUS"):
        monkeypatch.setattr(machine, name, tmp_path / "nothing")
    found = machine.describe()
    assert (found["cpu_features"], found["caches"], machine.gpus()) == ([], {}, [])
    assert found["processor"]
