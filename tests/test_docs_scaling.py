"""The examples of docs/scaling.md: of the right syntax, commands that `modelyard` takes, figures that were measured."""

import re
import shlex
import subprocess

import pytest
import typer
from ruamel.yaml import YAML
from support.paths import ROOT

from modelyard import params
from modelyard.cli import app

PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
MEASURED = (ROOT / "benchmarks" / "results" / "many_workers.md").read_text(encoding="utf-8")
VARIABLES = {"MODELYARD_OPTUNA_STORAGE", "MODELYARD_TRACKING"}


def block(language: str, holding: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return next(each for each in found if holding in each)


SLURM = block("bash", "#SBATCH")
JOB = YAML(typ="safe").load(block("yaml", "kind: Job"))
POD = JOB["spec"]["template"]["spec"]
WORKER = POD["containers"][0]
COMMANDS = [
    WORKER["args"],
    *(
        shlex.split(line, comments=True)
        for line in re.findall(r"^(?:srun )?(?:\.venv/bin/)?(modelyard .*)$", PAGE, re.M)
    ),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_is_one_that_modelyard_takes(command):
    name, *arguments = ["1" if word.startswith("$") else word for word in command[1:]]
    group = typer.main.get_command(app)
    found = group.commands[name]
    if hasattr(found, "commands"):
        found, arguments = found.commands[arguments[0]], arguments[1:]
    given = found.make_context(name, arguments).params
    if name == "tune":
        assert given["study"] in params.load(ROOT / "params.yaml").studies


def test_workers_are_started_with_the_same_command_by_every_scheduler():
    joining = [command[:4] for command in COMMANDS if "--join" in command]
    assert joining == [["modelyard", "tune", "mnist_cnn", "--join"]] * 3


def test_the_job_of_kubernetes_has_what_a_job_needs():
    assert (JOB["apiVersion"], JOB["kind"]) == ("batch/v1", "Job")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", JOB["metadata"]["name"])
    assert set(JOB["spec"]) == {"parallelism", "backoffLimit", "template"}, (
        "with completions it would not end by itself"
    )
    assert POD["restartPolicy"] in {"Never", "OnFailure"}
    assert {each["name"] for each in WORKER["volumeMounts"]} == {each["name"] for each in POD["volumes"]}
    assert set(WORKER) == {"name", "image", "args", "env", "resources", "volumeMounts"}, "a command replaces the entry"
    assert all(isinstance(word, str) for word in WORKER["args"])
    assert all(isinstance(each.get("value", ""), str) for each in WORKER["env"])


def test_the_password_comes_from_a_secret():
    (password,) = (each for each in WORKER["env"] if each["name"] == "PGPASSWORD")
    assert set(password["valueFrom"]["secretKeyRef"]) == {"name", "key"}
    assert not re.search(r"://\w+:\w", PAGE), "a password in an address"


def test_the_array_of_slurm_is_a_script_that_a_shell_takes():
    done = subprocess.run(["bash", "-n"], input=SLURM, capture_output=True, text=True)
    assert done.stderr == ""
    first, *lines = SLURM.splitlines()
    directives = [line for line in lines if line.startswith("#SBATCH ")]
    assert first == "#!/bin/bash"
    assert lines[: len(directives)] == directives, "Slurm reads none that stands after a command"
    assert all(re.fullmatch(r"#SBATCH --[a-z-]+(=\S+)?", line) for line in directives)
    assert any(line.startswith("#SBATCH --array=") for line in directives)


def test_variables_are_those_that_modelyard_reads():
    read = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"MODELYARD_[A-Z_]+", PAGE))
    assert named == VARIABLES
    assert all(f'"{name}"' in read for name in named)


def test_figures_are_those_that_the_benchmark_wrote():
    assert f"<!-- results -->\n{MEASURED}<!-- end -->" in PAGE
