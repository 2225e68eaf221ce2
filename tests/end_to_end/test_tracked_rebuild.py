"""A real, small rebuild: its runs grouped and tied to dvc.lock, backfilled from files, explained, seen in a browser."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from support.clones import clone_into
from support.pipelines import add_linear, editing_params, keep_only
from support.servers import BOUND, served
from support.tracked_projects import TrackedProject
from support.waiting import wait_until

pytestmark = pytest.mark.slow
EXPERIMENTS = ["xor_mlp", "xor_linear"]
EPOCHS = 5
EDITED = "claims.yaml, params.yaml, published.yaml"


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> TrackedProject:
    """A clone with a small network and a linear model, edited since its commit and rebuilt by `modelyard run`."""
    project = TrackedProject(clone_into(tmp_path_factory.mktemp("rebuilt") / "clone"))
    with editing_params(project.folder) as params:
        keep_only(params, ["xor_mlp"])
        params["experiments"]["xor_mlp"]["training"]["epochs"] = EPOCHS
        add_linear("xor_linear", "xor", params)
    assert "tags.rebuild = '" in project.run("modelyard", "run")
    return project


def test_the_runs_of_a_rebuild_have_its_tag_and_those_of_commit_notebook_and_data(rebuilt: TrackedProject) -> None:
    runs = rebuilt.runs()
    assert sorted(runs) == sorted(EXPERIMENTS)
    assert len({run.data.tags["rebuild"] for run in runs.values()}) == 1
    assert runs["xor_mlp"].data.tags["notebook"] == "001"
    inputs = {path: md5 for path, md5 in rebuilt.outputs("normalise@xor").items() if not path.endswith(".json")}
    for name, run in runs.items():
        lineage = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/lineage.json")
        assert lineage["came out"] == rebuilt.outputs(f"train@{name}") | rebuilt.outputs(f"evaluate@{name}")
        assert {path: md5 for path, md5 in lineage["went in"].items() if path.startswith("data/")} == inputs
        assert "artifacts/card.md?" in run.data.tags["mlflow.note.content"]
        assert (run.data.tags["git_dirty"], run.data.tags["git_changed"]) == ("true", EDITED)
        assert run.info.status == "FINISHED"


def test_complete_runs_are_left_alone(rebuilt: TrackedProject) -> None:
    before = (rebuilt.folder / "mlflow.db").read_bytes()
    rebuilt.run("modelyard", "run")
    assert (rebuilt.folder / "mlflow.db").read_bytes() == before
    assert "Nothing to backfill" in rebuilt.run("modelyard", "runs", "backfill")
    assert sorted(rebuilt.runs()) == sorted(EXPERIMENTS)


def test_a_lost_store_is_backfilled_from_the_files_once(rebuilt: TrackedProject, tmp_path: Path) -> None:
    copy = TrackedProject(shutil.copytree(rebuilt.folder, tmp_path / "colleague's", symlinks=True))
    for name in ("mlflow.db", "mlartifacts", ".modelyard"):
        shutil.rmtree(copy.folder / name, ignore_errors=True)
        (copy.folder / name).unlink(missing_ok=True)
    output = copy.run("modelyard", "runs", "backfill")
    assert [f"{name}: added from its files" in output for name in EXPERIMENTS] == [True, True]

    originals, client = rebuilt.runs(), mlflow.MlflowClient(copy.store)
    for name, run in copy.runs().items():
        original = originals[name].data
        assert run.info.status == "FINISHED"
        assert run.data.params == original.params
        metrics = {key: value for key, value in original.metrics.items() if not key.startswith("system/")}
        assert run.data.metrics == pytest.approx(metrics)
        assert result_tags(run) == result_tags(originals[name])
        assert run.inputs.dataset_inputs[0].dataset.digest == originals[name].inputs.dataset_inputs[0].dataset.digest
        artifacts = [file.path for file in client.list_artifacts(run.info.run_id)]
        assert artifacts == ["card.md", "changes.patch", "details.json", "figures", "lineage.json"]
        assert client.get_logged_model(run.data.tags["model_uri"].removeprefix("models:/")).name == name
    history = client.get_metric_history(copy.runs()["xor_mlp"].info.run_id, "loss")
    assert [each.step for each in history] == list(range(1, EPOCHS + 1))
    assert "Nothing to backfill" in copy.run("modelyard", "runs", "backfill")


def result_tags(run: mlflow.entities.Run) -> dict[str, str]:
    """The tags that do not depend on when and how a run was logged."""
    others = ("mlflow.", "process", "rebuild", "dvc_stage", "filled_in_from", "model_uri")
    return {tag: value for tag, value in run.data.tags.items() if not tag.startswith(others)}


def test_the_commands_that_explain_a_run_build_the_same_bytes_again(rebuilt: TrackedProject) -> None:
    """All but `make install`: this Python is found on the PATH instead."""
    text = rebuilt.run("modelyard", "runs", "explain", "xor_linear")
    outputs = {stage: rebuilt.outputs(stage) for stage in ("train@xor_linear", "evaluate@xor_linear")}
    assert text.count("as here") == sum(map(len, outputs.values())) + 2
    _, commands = text.split("To build it again:\n")
    lines = [line.strip() for line in commands.splitlines() if line.startswith("  ")]
    assert lines[-2:] == ["make install", ".venv/bin/modelyard run xor_linear"]
    script = " && ".join([*lines[:-2], "dvc repro -q evaluate@xor_linear", "pwd"])
    again = TrackedProject(Path(rebuilt.run("sh", "-c", script).splitlines()[-1]))
    assert again.folder != rebuilt.folder
    assert {stage: again.outputs(stage) for stage in outputs} == outputs


def test_a_killed_training_is_marked_as_failed_at_the_end_of_the_rebuild(
    rebuilt: TrackedProject, tmp_path: Path
) -> None:
    copy = TrackedProject(shutil.copytree(rebuilt.folder, tmp_path / "copy", symlinks=True))
    (copy.folder / "mlflow.db").unlink()
    with editing_params(copy.folder) as params:
        params["experiments"]["xor_mlp"]["training"]["epochs"] = 100_000_000
    command = ["modelyard", "run", "xor_mlp"]
    rebuild = subprocess.Popen(command, cwd=copy.folder, env=copy.environment, stdout=subprocess.PIPE, text=True)
    log = copy.folder / ".dvc" / "tmp" / "runner" / "logs" / "train@xor_mlp.log"
    wait_until(lambda: log.exists() and "epoch 1/100000000" in log.read_text(), BOUND)
    (run,) = copy.runs().values()
    assert run.info.status == "RUNNING"
    os.kill(int(run.data.tags["process"].split(":")[-2]), signal.SIGKILL)
    output, _ = rebuild.communicate(timeout=BOUND)
    assert rebuild.returncode == 1
    assert "xor_mlp: marked as failed, its process is gone" in output
    (run,) = copy.runs().values()
    assert run.info.status == "FAILED"
    assert "its process ended without an error message" in run.data.tags["error"]


@pytest.fixture
def page() -> Iterator:
    """A page of the system's Chromium, without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="NO BROWSER: the web pages are not tested; uv sync")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("NO BROWSER: the web pages are not tested; apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1600, "height": 1200})
        opened.set_default_timeout(BOUND * 1000)
        yield opened
        browser.close()


def right_edge(element: Any) -> float:
    """Where an element of a page ends."""
    box = element.bounding_box()
    return float(box["x"] + box["width"])


def test_the_browser_shows_a_run_with_its_curve_and_its_files(rebuilt: TrackedProject, page) -> None:
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("response", lambda answer: errors.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)
    page.on("request", lambda request: requests.append(request.url))
    runs = rebuilt.runs()
    with served(["modelyard", "ui", "--no-browser"], rebuilt.folder, rebuilt.environment) as address:
        # --- the table of runs, at the address that the command prints
        log = rebuilt.folder / "server.log"
        wait_until(lambda: "Open http" in log.read_text(), BOUND)
        page.goto(re.search(r"Open (\S+) in the browser", log.read_text())[1])
        links = {name: page.locator(f"a[href*='/runs/{run.info.run_id}']") for name, run in runs.items()}
        assert {name: link.first.inner_text() for name, link in links.items()} == {name: name for name in EXPERIMENTS}
        page.get_by_text("The latest results:").first.wait_for()

        # --- its columns, whole where the window is 1500 wide
        assert not re.search("Registry store URI|StarletteDeprecationWarning", log.read_text())
        page.set_viewport_size({"width": 1000, "height": 900})
        page.locator(".ag-header-cell[col-id='tags.`result`']").wait_for()
        page.set_viewport_size({"width": 1500, "height": 900})
        for column in ("tags.`result`", "duration", "metrics.`test_accuracy`"):
            header = page.locator(f".ag-header-cell[col-id='{column}']")
            header.wait_for()
            wait_until(lambda header=header: right_edge(header) <= right_edge(page.locator(".ag-root").first), BOUND)
        page.set_viewport_size({"width": 1600, "height": 1200})
        accuracy = runs["xor_mlp"].data.metrics["test_accuracy"]
        page.get_by_role("gridcell", name=f"accuracy {accuracy:.4g} (", exact=False).first.wait_for()

        # --- one run: what it is, its result and a plot
        links["xor_mlp"].first.click()
        page.get_by_text(runs["xor_mlp"].info.run_id).first.wait_for()
        for tag in ("result", "git_commit", "rebuild", "notebook"):
            page.get_by_text(tag).first.wait_for()
        page.get_by_text("Model family mlp on the data set xor").first.wait_for()
        plot = page.locator("img[src*='get-artifact']").first
        plot.scroll_into_view_if_needed()
        wait_until(lambda: plot.evaluate("image => image.naturalWidth") > 0, BOUND)

        # --- its curves: a point per epoch
        page.get_by_role("tab", name="Model metrics").click()
        page.get_by_text("xor_mlp (loss)").wait_for()
        curve = page.locator(".js-plotly-plot .scatterlayer").first
        curve.locator(".point").nth(EPOCHS - 1).wait_for()
        assert curve.locator(".point").count() == EPOCHS

        # --- its files, and one opened
        page.get_by_role("tab", name="Artifacts").click()
        page.get_by_text("lineage.json").click()
        page.get_by_text("came out").first.wait_for()

        # --- the card of its model, by the link of the description
        page.get_by_role("tab", name="Overview").click()
        with page.expect_popup() as opened:
            page.get_by_role("link", name="Model card").click()
        opened.value.get_by_text("modelyard predict xor_mlp FILES").first.wait_for(timeout=BOUND * 1000)
    assert errors == []
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []
