"""The environment of everything that a command starts."""

import json
import os
import subprocess
import sys

from numpy._core._multiarray_umath import __cpu_dispatch__
from support.paths import ROOT

from modelyard.core.environment import AVX2, ONE_THREAD, QUIET


def environment_of_a_stage(**variables: str) -> dict[str, str]:
    around = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [ROOT / "pipeline" / "python", "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    done = subprocess.run(
        command, env=around | {"MODELYARD_PYTHON": sys.executable} | variables, check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout)


def test_a_stage_of_dvc_has_the_variables_of_a_command() -> None:
    expected = {**QUIET, **ONE_THREAD, **AVX2}
    assert {name: environment_of_a_stage().get(name) for name in expected} == expected


def test_a_processor_can_use_all_of_its_instructions() -> None:
    assert environment_of_a_stage(ONEDNN_MAX_CPU_ISA="DEFAULT")["ONEDNN_MAX_CPU_ISA"] == "DEFAULT"
    assert environment_of_a_stage(NPY_DISABLE_CPU_FEATURES="")["NPY_DISABLE_CPU_FEATURES"] == ""


def test_of_numpys_instructions_all_beyond_avx2_are_disabled() -> None:
    assert {*__cpu_dispatch__} - {"X86_V3"} == set(AVX2["NPY_DISABLE_CPU_FEATURES"].split())
