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
ENGINES = (ROOT / "benchmarks" / "results" / "engines.md").read_text(encoding="utf-8")
VARIABLES = {"MODELYARD_OPTUNA_STORAGE", "MODELYARD_TRACKING", "MODELYARD_SCHEDULER"}


def block(language: str, content: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return next(block for block in blocks if content in block)


SLURM = block("bash", "#SBATCH")
JOB = YAML(typ="safe").load(block("yaml", "kind: Job"))
POD = JOB["spec"]["template"]["spec"]
WORKER = POD["containers"][0]
CLUSTER_SLURM = block("bash", "dask scheduler")
CLUSTER = list(YAML(typ="safe").load_all(block("yaml", "kind: Deployment")))
PODS = [each["spec"]["template"]["spec"] for each in CLUSTER if each["kind"] != "Service"]
CLUSTER_ARGS = [pod["containers"][0]["args"] for pod in PODS]
COMMANDS = [
    WORKER["args"],
    *(args for args in CLUSTER_ARGS if args[0] == "modelyard"),
    *(
        shlex.split(line, comments=True)
        for line in re.findall(r"^(?:srun (?:--\S+ )?)?(?:\.venv/bin/)?(modelyard .*)$", PAGE, re.M)
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


@pytest.mark.parametrize("script", [SLURM, CLUSTER_SLURM], ids=["search", "cluster"])
def test_the_slurm_script_is_valid(script):
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert done.stderr == ""
    first, *lines = script.splitlines()
    directives = [line for line in lines if line.startswith("#SBATCH ")]
    assert first == "#!/bin/bash"
    assert lines[: len(directives)] == directives, "Slurm ignores directives after the first command"
    assert all(re.fullmatch(r"#SBATCH --[a-z-]+(=\S+)?", line) for line in directives)
    assert any(line.startswith(("#SBATCH --array=", "#SBATCH --nodes=")) for line in directives)


def dask_commands() -> list[list[str]]:
    """Each `dask` command of the page, as words."""
    lines = re.findall(r"^(?:srun (?:--\S+ )?)?\.venv/bin/(dask .*?)(?: &)?$", PAGE, re.M)
    return [*(shlex.split(line, comments=True) for line in lines), *(a for a in CLUSTER_ARGS if a[0] == "dask")]


def test_every_dask_command_is_accepted_by_the_cli_of_dask():
    from distributed.cli import dask_scheduler, dask_worker

    commands = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}
    assert len(dask_commands()) == 6
    for _, name, *words in dask_commands():
        known = {option for each in commands[name].params for option in (*each.opts, *each.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known
        context = commands[name].make_context(name, ["4" if word.startswith("$SLURM") else word for word in words])
        assert context.params.get("scheduler") or name == "scheduler"


def test_the_variables_of_certificates_are_keys_of_dask():
    import dask.config
    import distributed  # noqa: F401 (it registers its keys)

    names = re.findall(r"DASK_([A-Z_]+?)(?:\$|=|\b)", CLUSTER_SLURM)
    assert names == ["DISTRIBUTED__COMM__TLS__CA_FILE", "DISTRIBUTED__COMM__TLS__"]
    keys = dask.config.get("distributed.comm.tls")
    assert "ca-file" in keys
    assert all("cert" in keys[role] for role in ("scheduler", "worker", "client"))


def test_the_objects_of_a_cluster_belong_together():
    service, scheduler, workers, _ = CLUSTER
    assert [each["kind"] for each in CLUSTER] == ["Service", "Deployment", "Deployment", "Job"]
    assert service["spec"]["selector"] == scheduler["spec"]["template"]["metadata"]["labels"]
    for each in (scheduler, workers):
        assert each["spec"]["selector"]["matchLabels"] == each["spec"]["template"]["metadata"]["labels"]
    address = f"tls://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert sum(address in args for args in CLUSTER_ARGS) == 2
    for pod in PODS:
        mounts = pod["containers"][0]["volumeMounts"]
        assert {each["name"] for each in mounts} == {each["name"] for each in pod["volumes"]}


def test_every_variable_is_read_by_modelyard():
    read = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"MODELYARD_[A-Z_]+", PAGE))
    assert named == VARIABLES
    assert all(f'"{name}"' in read for name in named)


def test_the_tables_are_those_of_the_benchmarks():
    assert f"<!-- results -->\n{MEASURED}<!-- end -->" in PAGE
    assert f"<!-- engines -->\n{ENGINES}<!-- end of engines -->" in PAGE
