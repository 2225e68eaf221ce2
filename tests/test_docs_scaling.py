"""The examples of docs/scaling.md: valid syntax, existing commands, measured values."""

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


def block(language: str, content: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return next(block for block in blocks if content in block)


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
def test_a_command_is_accepted_by_the_cli(command):
    name, *arguments = ["1" if word.startswith("$") else word for word in command[1:]]
    group = typer.main.get_command(app)
    subcommand = group.commands[name]
    if hasattr(subcommand, "commands"):
        subcommand, arguments = subcommand.commands[arguments[0]], arguments[1:]
    values = subcommand.make_context(name, arguments).params
    if name == "tune":
        assert values["study"] in params.load(ROOT / "params.yaml").studies


def test_every_scheduler_starts_workers_with_the_same_command():
    joining = [command[:4] for command in COMMANDS if "--join" in command]
    assert joining == [["modelyard", "tune", "mnist_cnn", "--join"]] * 3


def test_the_kubernetes_job_is_complete():
    assert (JOB["apiVersion"], JOB["kind"]) == ("batch/v1", "Job")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", JOB["metadata"]["name"])
    assert set(JOB["spec"]) == {"parallelism", "backoffLimit", "template"}, (
        "with completions it would not end with the study"
    )
    assert POD["restartPolicy"] in {"Never", "OnFailure"}
    assert {each["name"] for each in WORKER["volumeMounts"]} == {each["name"] for each in POD["volumes"]}
    assert set(WORKER) == {"name", "image", "args", "env", "resources", "volumeMounts"}, (
        "`command` would replace the entry point"
    )
    assert all(isinstance(word, str) for word in WORKER["args"])
    assert all(isinstance(each.get("value", ""), str) for each in WORKER["env"])


def test_the_password_comes_from_a_secret():
    (password,) = (each for each in WORKER["env"] if each["name"] == "PGPASSWORD")
    assert set(password["valueFrom"]["secretKeyRef"]) == {"name", "key"}
    assert not re.search(r"://\w+:\w", PAGE), "a password in an address"


def test_the_slurm_script_is_valid():
    done = subprocess.run(["bash", "-n"], input=SLURM, capture_output=True, text=True)
    assert done.stderr == ""
    first, *lines = SLURM.splitlines()
    directives = [line for line in lines if line.startswith("#SBATCH ")]
    assert first == "#!/bin/bash"
    assert lines[: len(directives)] == directives, "Slurm ignores directives after the first command"
    assert all(re.fullmatch(r"#SBATCH --[a-z-]+(=\S+)?", line) for line in directives)
    assert any(line.startswith("#SBATCH --array=") for line in directives)


def test_every_variable_is_read_by_modelyard():
    read = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"MODELYARD_[A-Z_]+", PAGE))
    assert named == VARIABLES
    assert all(f'"{name}"' in read for name in named)


def test_the_table_is_the_one_of_the_benchmark():
    assert f"<!-- results -->\n{MEASURED}<!-- end -->" in PAGE
