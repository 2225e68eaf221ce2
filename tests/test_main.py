"""The entry point: Ctrl-C during the import, and the Python that stages run with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT

# Stands in for typer, which the command imports first: Ctrl-C comes during that import.
INTERRUPTED = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"

# Stands in for the command: it runs a stage that prints its Python.
STAGE = """
import subprocess
def app():
    subprocess.run(["pipeline/python", "-c", "import sys; print(sys.executable)"], check=True)
"""


def test_ctrl_c_during_the_import_exits_without_a_traceback(tmp_path: Path):
    (tmp_path / "typer.py").write_text(INTERRUPTED)
    around = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "modelyard"], env=around, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_in_a_checkout_without_venv_stages_run_with_the_python_of_the_command(tmp_path: Path):
    (tmp_path / "pipeline").mkdir()
    shutil.copy(ROOT / "pipeline" / "python", tmp_path / "pipeline")
    (tmp_path / "cli.py").write_text(STAGE)
    command = "from modelyard import __main__; __main__.main()"
    around = os.environ | {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys, cli; sys.modules['modelyard.cli'] = cli; " + command],
        env=around, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{sys.executable}\n"


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["ISO-8859-1", "C"],
)
def test_a_terminal_that_lacks_characters_gets_substitutes(variables: dict[str, str]):
    command = [sys.executable, "-m", "modelyard", "run", "--help"]
    around = {name: value for name, value in os.environ.items() if name != "PYTHONUTF8"} | variables
    done = subprocess.run(command, env=around, capture_output=True, encoding="ascii", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert " * modelyard run" in done.stdout


@pytest.mark.parametrize("variables", [{}, {"PYTHONIOENCODING": "latin-1"}])
def test_a_stage_run_by_dvc_prints_to_any_terminal(variables: dict[str, str]):
    command = [ROOT / "pipeline" / "python", "-c", "print(chr(0x2713))"]
    around = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} | variables
    done = subprocess.run(command, env=around, capture_output=True, encoding="ascii", check=True)
    assert done.stdout == "\\u2713\n"


def test_a_full_disk_behind_standard_output_is_an_error_without_a_traceback():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "modelyard", "schema"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0][:6]) == (1, "error:")


def test_python_m_modelyard_is_the_command():
    done = subprocess.run([sys.executable, "-m", "modelyard", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("modelyard ")


def test_plugins_of_pydantic_are_not_looked_for(tmp_path: Path):
    (tmp_path / "plugin.py").write_text("import sys\nsys.exit('loaded')\n")
    (tmp_path / "plugin-1.dist-info").mkdir()
    (tmp_path / "plugin-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (tmp_path / "plugin-1.dist-info" / "entry_points.txt").write_text("[pydantic]\nplugin = plugin\n")
    around = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(tmp_path)))}
    done = subprocess.run([sys.executable, "-m", "modelyard", "schema"], env=around, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
