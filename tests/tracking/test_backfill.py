"""The diary of a real, small rebuild: grouped, tied to dvc.lock, filled in from files, explained, seen in a browser."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import mlflow
import pytest
from ruamel.yaml import YAML
from support.clones import clone_into, surroundings
from support.servers import ASKED_FOR, BOUND, PASSWORD, mlflow_server, served
from support.waiting import wait_until

NAMES = ["xor_mlp", "xor_linear"]
EPOCHS = 5


class Project:
    """A clone of this project with a few small experiments, tracked in its own store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = f"sqlite:///{folder / 'mlflow.db'}"
        self.surroundings = surroundings() | {"MODELYARD_TRACKING": "on", "PYTHONPATH": os.pathsep.join(self._code())}

    def _code(self) -> list[str]:
        return [str(self.folder / "src"), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]

    def run(self, *command: str, folder: Path | None = None) -> str:
        """What a command says that ends well."""
        around = self.surroundings | {"COLUMNS": "300"}
        done = subprocess.run(
            command, cwd=folder or self.folder, env=around, capture_output=True, text=True, timeout=BOUND
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        assert "warning: " not in done.stderr
        return done.stdout

    def runs(self) -> dict[str, mlflow.entities.Run]:
        """The runs of its store by name; a name that stands twice is a mistake."""
        client = mlflow.MlflowClient(self.store)
        found = client.search_runs([client.get_experiment_by_name("modelyard").experiment_id])
        assert len({run.info.run_name for run in found}) == len(found)
        return {run.info.run_name: run for run in found}

    def locked(self) -> dict[str, dict[str, str]]:
        """The MD5 of what came out, of each stage in dvc.lock."""
        stages = YAML(typ="safe").load(self.folder / "dvc.lock")["stages"]
        return {name: {out["path"]: out["md5"] for out in stage["outs"]} for name, stage in stages.items()}


def keep_small(params: dict) -> None:
    """Leave exclusive or, learnt by a small network and by a linear model."""
    training = params["experiments"]["xor_mlp"]["training"] | {"epochs": EPOCHS}
    network = params["experiments"]["xor_mlp"] | {"training": training}
    linear = {"input": "xor", "model": {"family": "linear"}, "training": {"seed": 7}}
    params["datasets"], params["inputs"] = ({"xor": params[each]["xor"]} for each in ("datasets", "inputs"))
    params["experiments"] = {"xor_mlp": network, "xor_linear": linear}
    params["published"] = {"xor_mlp": {"notebook": "001"}}
    for section in ("transfers", "backbones", "pretrained", "studies", "claims", "units"):
        params[section] = {}


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project rebuilt by `modelyard run`, one file changed since its commit."""
    project = Project(clone_into(tmp_path_factory.mktemp("diary") / "clone"))
    file = project.folder / "params.yaml"
    params = YAML(typ="safe").load(file)
    keep_small(params)
    with file.open("w") as opened:
        YAML().dump(params, opened)
    said = project.run("modelyard", "run")
    assert "(those of this rebuild: tags.rebuild = '" in said
    return project


def test_the_runs_of_a_rebuild_are_grouped_and_lead_back_to_commit_notebook_and_data(rebuilt: Project) -> None:
    runs, locked = rebuilt.runs(), rebuilt.locked()
    assert sorted(runs) == sorted(NAMES)
    assert len({run.data.tags["rebuild"] for run in runs.values()}) == 1
    assert runs["xor_mlp"].data.tags["notebook"] == "001"
    for name, run in runs.items():
        outs = {tag.removeprefix("out:"): md5 for tag, md5 in run.data.tags.items() if tag.startswith("out:")}
        assert outs == locked[f"train@{name}"] | locked[f"evaluate@{name}"]
        deps = {tag: md5 for tag, md5 in run.data.tags.items() if tag.startswith("in:")}
        assert deps == {
            f"in:{path}": md5 for path, md5 in locked["normalise@xor"].items() if not path.endswith(".json")
        }
        assert (run.data.tags["git_dirty"], run.data.tags["git_changed"]) == ("true", "params.yaml")
        assert run.info.status == "FINISHED"


def test_what_is_told_is_left_alone(rebuilt: Project) -> None:
    before = (rebuilt.folder / "mlflow.db").read_bytes()
    rebuilt.run("modelyard", "run")
    assert (rebuilt.folder / "mlflow.db").read_bytes() == before
    assert "Nothing to backfill: MLflow has the runs of all 2 experiments that are up to date." in rebuilt.run(
        "modelyard", "runs", "backfill"
    )
    assert sorted(rebuilt.runs()) == sorted(NAMES)


def test_a_lost_diary_is_filled_in_from_the_files_once(rebuilt: Project, tmp_path: Path) -> None:
    copy = Project(shutil.copytree(rebuilt.folder, tmp_path / "colleague's", symlinks=True))
    for name in ("mlflow.db", "mlartifacts", ".modelyard"):
        shutil.rmtree(copy.folder / name, ignore_errors=True)
        (copy.folder / name).unlink(missing_ok=True)
    said = copy.run("modelyard", "runs", "backfill")
    assert [f"{name}: added from its files" in said for name in NAMES] == [True, True]

    originals, client = rebuilt.runs(), mlflow.MlflowClient(copy.store)
    for name, run in copy.runs().items():
        original = originals[name].data
        assert run.info.status == "FINISHED"
        assert run.data.params == original.params
        measured = {key: value for key, value in original.metrics.items() if not key.startswith("system/")}
        assert run.data.metrics == pytest.approx(measured)
        assert comparable(run.data.tags) == comparable(original.tags)
        assert run.inputs.dataset_inputs[0].dataset.digest == originals[name].inputs.dataset_inputs[0].dataset.digest
        artifacts = [file.path for file in client.list_artifacts(run.info.run_id)]
        assert artifacts == ["changes.patch", "details.json", "figures", "lineage.json"]
        assert client.get_logged_model(run.data.tags["model_uri"].removeprefix("models:/")).name == name
    history = client.get_metric_history(copy.runs()["xor_mlp"].info.run_id, "loss")
    assert [each.step for each in history] == list(range(1, EPOCHS + 1))
    assert "Nothing to backfill" in copy.run("modelyard", "runs", "backfill")


def comparable(tags: dict[str, str]) -> dict[str, str]:
    """The tags that do not say when and how a run came into the diary."""
    own = ("mlflow.", "process", "rebuild", "dvc_stage", "filled_in_from", "model_uri")
    return {tag: value for tag, value in tags.items() if not tag.startswith(own)}


def test_the_commands_that_explain_a_run_build_the_same_bytes_again(rebuilt: Project, tmp_path: Path) -> None:
    """All but `make install`, in whose place stands this Python, found on the PATH."""
    told = rebuilt.run("modelyard", "runs", "explain", "xor_linear")
    assert (
        told.count("as here") == len(rebuilt.locked()["train@xor_linear"] | rebuilt.locked()["evaluate@xor_linear"]) + 2
    )
    _, way = told.split("To build it again:\n")
    lines = [line.strip() for line in way.splitlines() if line.startswith("  ")]
    assert lines[-2:] == ["make install", ".venv/bin/modelyard run xor_linear"]
    script = " && ".join([*lines[:-2], "dvc repro -q evaluate@xor_linear", "pwd"])
    again = Project(Path(rebuilt.run("sh", "-c", script).splitlines()[-1]))
    assert again.folder != rebuilt.folder
    for stage in ("train@xor_linear", "evaluate@xor_linear"):
        assert again.locked()[stage] == rebuilt.locked()[stage]


def test_a_training_that_is_killed_is_shown_as_failed_when_the_rebuild_ends(rebuilt: Project, tmp_path: Path) -> None:
    copy = Project(shutil.copytree(rebuilt.folder, tmp_path / "copy", symlinks=True))
    (copy.folder / "mlflow.db").unlink()
    params = copy.folder / "params.yaml"
    params.write_text(params.read_text().replace(f"epochs: {EPOCHS}", "epochs: 100000000"))
    command = ["modelyard", "run", "xor_mlp"]
    rebuild = subprocess.Popen(command, cwd=copy.folder, env=copy.surroundings, stdout=subprocess.PIPE, text=True)
    log = copy.folder / ".dvc" / "tmp" / "runner" / "logs" / "train@xor_mlp.log"
    wait_until(lambda: log.exists() and "epoch 1/100000000" in log.read_text(), BOUND)
    (run,) = copy.runs().values()
    assert run.info.status == "RUNNING"
    os.kill(int(run.data.tags["process"].split()[-2]), signal.SIGKILL)
    said, _ = rebuild.communicate(timeout=BOUND)
    assert rebuild.returncode == 1
    assert "xor_mlp: marked as failed, its process is gone" in said
    (run,) = copy.runs().values()
    assert run.info.status == "FAILED"
    assert "its process ended without an error message" in run.data.tags["error"]


# --- seen in a browser, and served to others ---


@pytest.fixture
def page() -> Iterator:
    """A page of Debian's Chromium, without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="NO BROWSER: the web pages are not tested; uv sync")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("NO BROWSER: the web pages are not tested; apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found = browser.new_page(viewport={"width": 1600, "height": 1200})
        found.set_default_timeout(BOUND * 1000)
        yield found
        browser.close()


def test_a_person_finds_a_run_in_the_browser_with_its_curve_and_its_files(rebuilt: Project, page) -> None:
    wrong, asked = [], []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)
    page.on("request", lambda request: asked.append(request.url))
    runs = rebuilt.runs()
    with served(["modelyard", "ui"], rebuilt.folder, rebuilt.surroundings) as address:
        # --- the runs
        page.goto(f"{address}/#/experiments/{runs['xor_mlp'].info.experiment_id}/runs")
        links = {name: page.locator(f"a[href$='/runs/{run.info.run_id}']") for name, run in runs.items()}
        assert {name: link.first.inner_text() for name, link in links.items()} == {name: name for name in NAMES}

        # --- one of them
        links["xor_mlp"].first.click()
        page.get_by_text(runs["xor_mlp"].info.run_id).first.wait_for()
        for tag in ("git_commit", "rebuild", "notebook"):
            page.get_by_text(tag).first.wait_for()

        # --- its curves: a point for each epoch
        page.get_by_role("tab", name="Model metrics").click()
        page.get_by_text("xor_mlp (loss)").wait_for()
        curve = page.locator(".js-plotly-plot .scatterlayer").first
        curve.locator(".point").nth(EPOCHS - 1).wait_for()
        assert curve.locator(".point").count() == EPOCHS

        # --- its files, and one opened
        page.get_by_role("tab", name="Artifacts").click()
        page.get_by_text("lineage.json").click()
        page.get_by_text("came out").first.wait_for()
    assert wrong == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


TRACKED = """
from modelyard import tracking
with tracking.training_run("through_the_server") as run:
    run.log_epoch({"epoch": 1, "loss": 0.5})
"""


@pytest.fixture
def team(tmp_path: Path) -> Project:
    """A folder that a server keeps its store in, and that a training runs in."""
    return Project(tmp_path)


def test_a_server_behind_another_name_answers_to_that_name_and_to_no_other(team: Project) -> None:
    command = mlflow_server(team.store, team.folder / "shared", "--allowed-hosts", "mlflow.example.org,127.0.0.1:*")
    with served(command, team.folder, team.surroundings) as address:
        assert status(address, host="mlflow.example.org") == 200
        assert status(address, host="elsewhere.example.org") == 403


def status(address: str, host: str) -> int:
    """What a server answers to someone who knows it by another name."""
    request = Request(f"{address}/api/2.0/mlflow/experiments/get?experiment_id=0", headers={"Host": host})  # noqa: S310
    try:
        return urlopen(request, timeout=BOUND).status  # noqa: S310
    except HTTPError as error:
        return error.code


WITH_FILES = """
from pathlib import Path
from modelyard import tracking
with tracking.evaluation_run("through_the_server") as run:
    run.log_evaluation({"accuracy": 0.5}, {"intervals": {}}, Path("figures"))
print("done")
"""


def test_a_server_whose_disk_is_full_leaves_the_run_failed_and_the_program_at_work(team: Project) -> None:
    (team.folder / "figures").mkdir()
    (team.folder / "figures" / "large.png").write_bytes(bytes(20_000_000))
    # No file may be larger than ten megabytes, as if the disk ended there.
    server = ["prlimit", "--fsize=10000000", *mlflow_server(team.store, team.folder / "shared")]
    with served(server, team.folder, team.surroundings) as address:
        around = team.surroundings | {"MLFLOW_TRACKING_URI": address}
        done = subprocess.run(
            [sys.executable, "-c", WITH_FILES], cwd=team.folder, env=around,
            capture_output=True, text=True, check=True, timeout=BOUND,
        )  # fmt: skip
    assert done.stdout == "done\n"
    assert "warning: this run is not tracked" in done.stderr
    assert "A server's own log says why it refused, such as a full disk; `modelyard runs backfill`" in done.stderr
    (run,) = team.runs().values()
    assert run.info.status == "FAILED"
    assert "figures/large.png" in run.data.tags["error"]
    assert "test_accuracy" not in run.data.metrics


def test_a_server_with_passwords_takes_runs_from_who_has_one(team: Project) -> None:
    pytest.importorskip("flask_wtf", reason="NO BASIC AUTH: MLflow's passwords are not tested; uv sync")
    command = mlflow_server(team.store, team.folder / "shared", "--app-name", "basic-auth")
    with served(command, team.folder, team.surroundings | ASKED_FOR) as address:
        train = [sys.executable, "-c", TRACKED]
        around = team.surroundings | {"MLFLOW_TRACKING_URI": address, "MLFLOW_TRACKING_USERNAME": "admin"}
        told = [
            subprocess.run(
                train, cwd=team.folder, env=around | {"MLFLOW_TRACKING_PASSWORD": password},
                capture_output=True, text=True, check=True, timeout=BOUND,
            ).stderr
            for password in ("a guess", PASSWORD)
        ]  # fmt: skip
    assert "warning: this run is not tracked" in told[0]
    assert told[1] == ""
    (run,) = team.runs().values()
    assert (run.info.run_name, run.info.status) == ("through_the_server", "FINISHED")
