"""The command `modelyard`: its help, its refusals, and what `doctor` and `ui` say."""

import os
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT
from support.projects import REGRESSION, make_results
from typer.testing import CliRunner, Result

from modelyard.cli import app
from modelyard.cli.ui import serve as run_server


def modelyard(*arguments: str) -> Result:
    """Run a command in this process; a terminal of 300 columns breaks no line."""
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this project's params.yaml and dvc.yaml, without mirror, with addresses that refuse at once."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["fetch"]["mirrors"] = []
    for entry in (params["datasets"] | params["backbones"]).values():
        for name, source in entry["files"].items():
            if "url" in source:
                source["url"] = f"http://127.0.0.1:9/{name}"
    folder = tmp_path / "project"
    folder.mkdir()
    YAML().dump(params, folder / "params.yaml")
    (folder / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def row(output: str, name: str) -> str:
    """The line of a table that begins with a name."""
    return next(line for line in output.splitlines() if line.strip(" │┃").startswith(name))


def test_without_a_command_the_help_names_each_and_where_to_begin():
    said = modelyard().output
    for command in (
        "run",
        "experiments",
        "runs",
        "tune",
        "predict",
        "promote",
        "rollback",
        "replicate",
        "explain",
        "report",
        "doctor",
        "ui",
        "schema",
    ):
        assert f" {command} " in said
    assert "modelyard doctor" in said
    assert "modelyard run --demo" in said


@pytest.mark.parametrize(
    ("command", "mention"),
    [
        ("run", ["--jobs", "--demo", "--strict", "modelyard run mnist_cnn boston_mlp"]),
        ("tune", ["--trials", "--workers", "--join", "modelyard tune digits_cnn --new"]),
        ("predict", ["--test-row", "--output", "--show", "modelyard predict mnist_cnn --test-row 17"]),
        ("report", ["--against", "--output", "modelyard report --against main"]),
        ("promote", ["--force", "REASON", "modelyard promote mnist_cnn"]),
        ("rollback", ["modelyard rollback mnist"]),
        ("ui", ["--port", "modelyard ui --port 5001"]),
        ("doctor", ["versions, processor, disk, data sets"]),
        ("experiments", ["its data set, its model and the results that are here"]),
        ("schema", ["JSON Schema of params.yaml"]),
        ("runs", ["fill", "explain"]),
    ],
)
def test_the_help_of_a_command_tells_its_options_and_examples(command, mention):
    result = modelyard(command, "--help")
    assert result.exit_code == 0
    assert [text for text in mention if text not in result.output] == []


def test_the_version_is_that_of_the_project():
    written = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert modelyard("--version").output == f"modelyard {written}\n"


def test_experiments_of_every_section_are_listed_with_what_is_here_of_them(project):
    make_results(project, "boston_mlp", REGRESSION)
    said = CliRunner().invoke(app, ["experiments"], env={"COLUMNS": "80"}).output
    listed = {line.split()[0]: line.split()[1:] for line in said.splitlines()[1:]}
    params = YAML(typ="safe").load(project / "params.yaml")
    assert {*params["experiments"], *params["transfers"], *params["pretrained"]} <= set(listed)
    assert listed["boston_mlp"] == ["boston", "mlp", "correlation", "0.85"]
    assert listed["mnist_transfer"] == ["mnist", "transfer", "not", "built", "yet"]


def test_an_unknown_experiment_is_answered_with_the_nearest_name(project):
    before = contents(project)
    result = modelyard("run", "boston_mpl")
    assert result.exit_code == 1
    assert "error: no such experiment: boston_mpl; did you mean boston_mlp?" in result.output
    assert contents(project) == before


def test_a_mistake_in_params_stops_before_anything_is_made(project):
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 40\n", "epohcs: 40\n", 1))
    before = contents(project)
    result = modelyard("run")
    assert result.exit_code == 1
    assert "params.yaml has a mistake; nothing was run." in result.output
    assert "experiments.digits_mlp.training.epohcs (line " in result.output
    assert "did you mean epochs?" in result.output
    assert contents(project) == before


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_outside_a_project_it_says_where_to_run(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = modelyard(command)
    assert result.exit_code == 1
    assert "error: params.yaml: no such file. Run from the folder that holds dvc.yaml." in result.output
    assert list(tmp_path.iterdir()) == []


def test_doctor_tells_versions_and_where_each_data_set_is(project):
    raw = project / "data" / "raw" / "xor"
    raw.mkdir(parents=True)
    (raw / "xor.csv").touch()
    result = modelyard("doctor")
    assert result.exit_code == 0
    for name in ("tensorflow 2.", "keras 3.", "dvc 3.", "Python", "processor", "GiB free"):
        assert name in result.output
    assert "missing" not in row(result.output, "packages")
    assert "present" in row(result.output, "xor ")
    assert "reachable" in row(result.output, "digits ")
    assert "unreachable" in row(result.output, "boston ")


def test_doctor_tells_the_mirror_that_a_data_set_would_come_from(project, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    (mirror / "boston-housing").mkdir(parents=True)
    (mirror / "boston-housing" / "boston_housing.npz").touch()
    monkeypatch.setenv("MODELYARD_MIRROR", str(mirror))
    assert f"reachable: {mirror}/boston-housing" in modelyard("doctor").output


def test_doctor_imports_none_of_the_heavy_packages(project):
    code = "import sys; from modelyard.cli.doctor import examine; examine(); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(found.stdout.splitlines()[-1].split())
    assert {"tensorflow", "keras", "mlflow", "optuna", "dvc", "pandas", "sklearn", "scipy"} & loaded == set()


@pytest.mark.parametrize(
    "address", ["postgresql://ann:hush@db:5432/runs", "https://ann:hush@example.org", "http://ann:hu@sh@example.org"]
)
def test_doctor_hides_the_password_of_the_tracking_store(address, project, monkeypatch):
    monkeypatch.setenv("MODELYARD_TRACKING", "on")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    said = row(modelyard("doctor").output, "runs")
    assert address.rpartition("@")[2] in said
    assert "hush" not in said
    assert "hu@sh" not in said


def test_doctor_says_that_tracking_is_off(project):
    assert "nowhere: MODELYARD_TRACKING is off" in modelyard("doctor").output


def test_ui_on_a_taken_port_offers_another(taken_port, project):
    result = modelyard("ui", "--port", str(taken_port))
    assert result.exit_code == 1
    assert f"port {taken_port} is taken; choose another, such as: modelyard ui --port {taken_port - 1}" in result.output


SERVER = """
import os, signal, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).handle_request()
"""


@pytest.fixture
def serve(project, free_port, monkeypatch, capfd):
    """What `modelyard ui` returns and says where MLflow's server is this program."""

    def serve(program: str) -> tuple[int, str]:
        monkeypatch.setitem(run_server.__globals__, "_command", lambda port: [sys.executable, "-c", program, str(port)])
        return run_server(free_port), capfd.readouterr().out

    return serve


def test_ui_tells_the_address_once_the_server_answers(serve, free_port):
    code, said = serve(SERVER)
    assert code == 0
    assert f"Open http://127.0.0.1:{free_port} in the browser" in said


def test_ui_tells_no_address_of_a_server_that_does_not_start(serve):
    code, said = serve("raise SystemExit(7)")
    assert code == 7
    assert "http" not in said.replace("sqlite", "")


def test_an_interrupt_ends_ui_and_its_server(serve, project):
    interrupted = "open('pid', 'w').write(str(os.getpid())); os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"
    assert serve(SERVER + interrupted)[0] == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "pid").read_text()), 0)


def test_the_server_itself_does_not_hear_of_ctrl_c(serve):
    assert serve(SERVER + "os.kill(os.getpid(), signal.SIGINT)")[0] == 0


def test_ui_sends_to_the_server_where_runs_are_kept_and_hides_its_password(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:hush@mlflow.example.org")
    result = modelyard("ui")
    assert result.exit_code == 1
    assert "runs are kept on a server" in result.output
    assert "mlflow.example.org" in result.output
    assert "hush" not in result.output


def test_a_diary_that_is_off_cannot_be_filled_in(project):
    result = modelyard("runs", "backfill")
    assert result.exit_code == 1
    assert "error: MODELYARD_TRACKING is off: there is no diary to fill in." in result.output


def test_the_installed_command_is_this_one():
    """The console script beside this interpreter, as a person calls it."""
    command = Path(sys.executable).with_name("modelyard")
    found = subprocess.run([command, "--help"], check=True, capture_output=True, text=True)
    assert "Rebuild, browse and trust the models" in found.stdout


def test_make_help_lists_every_target():
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    found = subprocess.run(["make", "-s", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    listed = {line.split()[1]: line.split()[2:] for line in found.stdout.splitlines()}
    assert set(phony.split()[1:]) <= set(listed)
    assert all(listed.values())


def test_a_demo_of_what_needs_other_data_is_refused_and_runs_nothing():
    said = modelyard("run", "fashion_cnn", "--demo")
    assert said.exit_code == 1
    assert "no data of fashion_cnn comes with the libraries: leave out --demo." in said.output
