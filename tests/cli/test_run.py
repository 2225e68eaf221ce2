"""`modelyard run`: the summary at its end, of made-up results and stages, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.commands import modelyard
from support.paths import ROOT
from support.pipelines import Run, editing
from support.projects import edit, make_project
from support.tables import assert_fits

from modelyard import params
from modelyard.cli import other_bytes
from modelyard.cli import run as run_command
from modelyard.cli.run import (
    LIBRARIES,
    _keys,
    _missing_batches,
    _note_batches,
    _print_summary,
    _result_table,
    _unavailable_data,
    _write_cards,
)
from modelyard.core.errors import ModelyardError
from modelyard.core.files import checksum
from modelyard.orchestration import dvc_lock
from modelyard.orchestration.scheduler import Stage, StageState
from modelyard.params.project import BatchSettings, Project
from modelyard.tracking.environment import REBUILD

STAGES = {
    "boston_linear": "evaluate@boston_linear",
    "boston_mlp": "evaluate@boston_mlp",
    "digits_cnn": "evaluate@digits_cnn",
    "mnist_cnn": "evaluate@mnist_cnn",
}


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is printed where boston_mlp and digits_cnn have results; each stage has the given state."""
    monkeypatch.chdir(make_project(tmp_path / "project"))

    def print_summary(
        width: int = 200,
        unavailable: dict[str, str] | None = None,
        verbose: bool = False,
        stages: dict[str, Stage] | None = None,
        **states: StageState,
    ) -> str:
        names = {each.replace("__", "@"): state for each, state in states.items()}
        stages = stages or {
            name: Stage(name, frozenset(), Path("logs") / f"{name}.log", state) for name, state in names.items()
        }
        chosen = {name: stage for name, stage in STAGES.items() if stage in stages}
        console = Console(file=StringIO(), width=width)
        project = params.load()
        _print_summary(console, project, params.load_published(project), chosen, stages, unavailable or {}, verbose)
        return console.file.getvalue()

    return print_summary


def line_of(text: str, experiment: str) -> str:
    return next(line for line in text.splitlines() if experiment in line)


def test_a_batch_does_not_take_the_place_of_a_file_that_no_run_has_made(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path / "project"))
    project = params.load()
    batch = BatchSettings(experiment="boston_mlp", data="houses.csv", output="mine.csv")
    project = project.model_copy(update={"batches": {"houses": batch}})
    Path("houses.csv").touch()
    stages = {"batch@houses": Stage("batch@houses", frozenset(), Path("log"), StageState.WAITING)}
    assert _missing_batches(project, stages) == {}
    Path("mine.csv").write_text("own")
    assert "mine.csv is there, and no run of batches.houses" in _missing_batches(project, stages)["batch@houses"]
    locked = {"batch@houses": dvc_lock.LockedStage({}, {"mine.csv": "md5"}, {})}
    monkeypatch.setattr(dvc_lock, "read", lambda *_: locked)
    assert _missing_batches(project, stages) == {}


@pytest.mark.parametrize("state", [StageState.RUNNING, StageState.STOPPED, StageState.FAILED])
def test_a_batch_whose_run_did_not_end_may_replace_what_it_has_made(state: StageState, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path / "project"))
    batch = BatchSettings(experiment="boston_mlp", data="houses.csv", output="houses_predicted.csv")
    project = params.load().model_copy(update={"batches": {"houses": batch}})
    stage = Stage("batch@houses", frozenset(), Path("log"), StageState.RUNNING)
    _note_batches(project, {stage.name: stage})
    for path in ("houses.csv", "houses_predicted.csv", "mine.csv"):
        Path(path).touch()
    stage.state = state
    _note_batches(project, {stage.name: stage})
    assert _missing_batches(project, {stage.name: stage}) == {}
    other = project.model_copy(update={"batches": {"houses": batch.model_copy(update={"output": "mine.csv"})}})
    assert "mine.csv is there, and no run" in _missing_batches(other, {stage.name: stage})["batch@houses"]


def test_a_batch_that_was_recorded_is_no_more_one_that_has_begun(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path / "project"))
    batch = BatchSettings(experiment="boston_mlp", data="houses.csv", output="mine.csv")
    project = params.load().model_copy(update={"batches": {"houses": batch}})
    stage = Stage("batch@houses", frozenset(), Path("log"))
    for path in ("houses.csv", "mine.csv"):
        Path(path).touch()
    for state in (StageState.WAITING, StageState.RUNNING, StageState.BUILT):
        stage.state = state
        _note_batches(project, {stage.name: stage})
    assert "mine.csv is there, and no run" in _missing_batches(project, {stage.name: stage})["batch@houses"]


def test_keys_in_settings_and_notes_are_warned_of_because_runs_have_them(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path / "project"))
    assert not any(_keys())
    password = "Geheim" + "12345"
    with editing(Path("params.yaml")) as settings:
        settings["datasets"]["xor"]["description"] = f"From postgresql://bob:{password}@db/flats."
    with editing(Path("published.yaml")) as values:
        next(iter(values.values()))["note"] = f"password: {password}{password}"
    _, of_settings, of_values = _keys()
    assert of_settings.startswith("warning: params.yaml, whose settings and descriptions are stored with the run, has")
    assert "a password in an address" in of_settings
    assert of_values.startswith("warning: published.yaml")
    assert password not in of_settings + of_values


@pytest.mark.parametrize("state", [StageState.FAILED, StageState.SKIPPED])
def test_results_that_were_not_rebuilt_are_marked_as_from_an_earlier_rebuild(summary, state: StageState):
    text = summary(evaluate__boston_mlp=state, evaluate__digits_cnn=StageState.BUILT, evaluate__mnist_cnn=state)
    assert "0.85 (0.84 to 0.86)" in line_of(text, "boston_mlp")
    assert "from an earlier rebuild" in line_of(text, "boston_mlp")
    assert "earlier" not in line_of(text, "digits_cnn")
    assert "not built yet" in line_of(text, "mnist_cnn")


def test_committed_results_that_were_not_built_here_are_marked(summary):
    text = summary(evaluate__boston_linear=StageState.SKIPPED)
    assert "from the repository, not built here" in line_of(text, "boston_linear")


@pytest.mark.parametrize("state", [StageState.FAILED, StageState.STOPPED])
def test_a_training_that_failed_leaves_no_committed_result_but_one_of_an_earlier_rebuild(summary, state: StageState):
    """DVC has removed the model before it."""
    text = summary(train__boston_linear=state, evaluate__boston_linear=StageState.SKIPPED)
    assert "from an earlier rebuild" in line_of(text, "boston_linear")


def test_results_of_another_task_are_a_remark_of_the_table(summary):
    Path("results/boston_mlp/metrics.json").write_text('{"accuracy": 0.9}')
    text = summary(400, evaluate__boston_mlp=StageState.FAILED, evaluate__digits_cnn=StageState.BUILT)
    assert "result not readable: results/boston_mlp/metrics.json has accuracy" in line_of(text, "boston_mlp")
    assert "0.9 (0.89 to 0.91)" in line_of(text, "digits_cnn")


def test_a_narrow_terminal_cuts_no_name_and_no_value(summary):
    assert line_of(summary(60, evaluate__boston_mlp=StageState.BUILT), "boston_mlp")
    text = summary(80, evaluate__boston_mlp=StageState.FAILED, evaluate__digits_cnn=StageState.BUILT)
    assert "correlation 0.85 (0.84 to 0.86)" in line_of(text, "boston_mlp")
    assert "published: correlation 0.7958 outside" in text
    assert "from an earlier rebuild" in text
    assert "accuracy 0.9 (0.89 to 0.91)" in line_of(text, "digits_cnn")
    assert max(map(len, text.splitlines()[:9])) <= 80


def test_the_results_of_all_experiments_fit_a_terminal_of_80_columns():
    project = params.load(ROOT / "params.yaml")
    published = params.load_published(project, ROOT / "published.yaml")
    with chdir(ROOT):
        assert_fits(_result_table(project, published, project.all_experiments, [], [], 80))


def test_the_time_from_the_first_start_to_the_last_end_is_shown(summary):
    stages = {"fetch@a": Stage("fetch@a", frozenset(), Path("a.log"), StageState.BUILT, began=10.0, ended=12.0)}
    stages["evaluate@boston_mlp"] = Stage("evaluate@boston_mlp", frozenset(), Path("b.log"), StageState.BUILT)
    stages["evaluate@boston_mlp"].began, stages["evaluate@boston_mlp"].ended = 12.0, 75.0
    assert "Stages: 2 built, in 1 min 5 s." in summary(stages=stages)
    assert "Stages: 1 unchanged.\n" in summary(evaluate__boston_mlp=StageState.UNCHANGED)


def test_a_narrow_terminal_breaks_no_address(summary):
    reason = f"Not available: a.gz.\nTried:\n  https://example.org/{'far/' * 20}a.gz\n  /disk/[0]/a.gz"
    states = {"evaluate__boston_mlp": StageState.SKIPPED, "evaluate__digits_cnn": StageState.FAILED}
    text = summary(40, {"fetch@boston": reason}, True, **states)
    assert f"fetch@boston cannot run. {reason}\n" in text
    assert "The end of logs/evaluate@digits_cnn.log:\n" in text


def test_data_out_of_reach_is_a_line_each_and_one_advice(summary):
    reasons = {f"fetch@{name}": f"Not available: {name}.gz.\nTried:\n  /disk/{name}.gz" for name in ("boston", "mnist")}
    text = summary(200, reasons, evaluate__boston_mlp=StageState.SKIPPED)
    assert (
        "\nfetch@boston cannot run. Not available: boston.gz.\nfetch@mnist cannot run. Not available: mnist.gz.\n"
        in text
    )
    assert text.count("What to do:") == 1
    assert "/disk" not in text


def test_a_missing_file_of_ones_own_is_the_reason_of_its_stage(project: Path):
    own = {"nix.csv": {"path": "data/nix.csv", "sha256": "0" * 64}}
    edit(project / "params.yaml", "datasets", "xor", "files", value=own)
    reason = "data/nix.csv is not here: put it there, or correct the `path` of xor in params.yaml"
    assert _unavailable_data(params.load(), ["fetch@xor"], project) == {"fetch@xor": reason}


def test_a_note_that_looks_like_markup_is_printed_as_it_is(summary):
    with editing(Path("published.yaml")) as published:
        published["boston_mlp"]["note"] = "as in [1], closes [/nothing]"
    assert "as in [1], closes [/nothing]" in summary(evaluate__boston_mlp=StageState.BUILT)


def test_only_a_run_that_compared_suggests_the_report(summary):
    named, whole = "`modelyard run` without names compares all", "`make report` writes all results to one page"
    assert whole in summary(evaluate__boston_mlp=StageState.UNCHANGED, compare=StageState.BUILT)
    for states in ({}, {"compare": StageState.FAILED}):
        text = summary(evaluate__boston_mlp=StageState.UNCHANGED, **states)
        assert named in text
        assert whole not in text


def test_only_a_run_that_built_something_names_the_tag_of_its_runs(summary, monkeypatch):
    monkeypatch.setenv("MODELYARD_TRACKING", "on")
    monkeypatch.setenv(REBUILD, "2026-01-02T03:04:05Z")
    assert "tags.rebuild = '2026-01-02T03:04:05Z'" in summary(evaluate__boston_mlp=StageState.BUILT)
    assert "tags.rebuild" not in summary(evaluate__boston_mlp=StageState.UNCHANGED, compare=StageState.BUILT)


@pytest.mark.parametrize(
    "state, of_these_metrics, is_written",
    [
        (StageState.BUILT, True, True),
        (StageState.UNCHANGED, True, False),
        (StageState.UNCHANGED, False, True),  # built by a run that was stopped before its end
        (StageState.FAILED, False, False),
    ],
)
def test_the_cards_of_what_was_built_are_written_again(
    state: StageState, of_these_metrics: bool, is_written: bool, tmp_path: Path, monkeypatch
):
    project = make_project(tmp_path / "project")
    monkeypatch.chdir(project)
    cards = [project / "results" / name / "card.md" for name in ("boston_mlp", "digits_cnn")]
    md5 = checksum(cards[0].with_name("metrics.json"), "md5") if of_these_metrics else "0" * 32
    old = f"old, of `{md5}`"
    for card in cards:
        card.write_text(old)
    stage = Stage("evaluate@boston_mlp", frozenset(), Path("log"), state)
    _write_cards(params.load(), {stage.name: stage})
    assert [card.read_text() != old for card in cards] == [is_written, False]
    (project / "params.yaml").write_text("edited: in the meantime\n")
    _write_cards(params.load(ROOT / "params.yaml"), {stage.name: stage})
    assert [card.exists() for card in cards] == [not is_written, True], "none rather than an old one"


@pytest.mark.usefixtures("project")
def test_a_run_that_is_stopped_says_which_results_have_other_bytes(monkeypatch):
    """The next run finds them in dvc.lock."""

    class Stopped:
        def __init__(self) -> None:
            self.stages = {"train@xor_mlp": Stage("train@xor_mlp", frozenset(), Path("log"), StageState.BUILT)}

        def run(self, *_: object, **__: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(run_command, "_plan", lambda *_: (Stopped(), {}))
    monkeypatch.setattr(other_bytes, "explain", lambda _, stages, __: f"other bytes: {', '.join(stages)}")
    result = modelyard("run", "xor_mlp")
    assert result.exit_code == 130
    assert "Stopped. Finished stages are kept" in result.output
    assert "other bytes: train@xor_mlp" in result.output


def test_an_unknown_experiment_is_refused_with_the_nearest_name(project: Path):
    before = {path.name for path in project.rglob("*")}
    result = modelyard("run", "boston_mpl")
    assert result.exit_code == 1
    assert "error: no such experiment: boston_mpl; did you mean boston_mlp?" in result.output
    assert {path.name for path in project.rglob("*")} == before


@pytest.mark.usefixtures("project")
def test_a_demo_of_experiments_whose_data_must_be_downloaded_is_refused():
    result = modelyard("run", "fashion_cnn", "--demo")
    assert result.exit_code == 1
    assert "all data of fashion_cnn must be downloaded: leave out --demo." in result.output


def test_a_wrong_published_value_stops_a_run_before_any_work(project: Path):
    file = project / "published.yaml"
    file.write_text(file.read_text().replace("mae: 4.3813", "mea: 4.3813"))
    result = modelyard("run")
    assert result.exit_code == 1
    assert "error: published.yaml has a mistake; nothing was run.\n  boston_mlp.metrics.mea (line " in result.output
    assert not (project / "data").exists()


def test_settings_that_are_edited_while_it_waits_for_another_run_are_those_of_the_run(project: Path, monkeypatch):
    planned = []

    @contextmanager
    def waits(*_: object) -> Iterator[None]:
        edit(project / "params.yaml", "runtime", "threads", value=3)
        yield

    def plan(_: object, read: Project, targets: list[str]) -> None:
        planned.append((read.runtime.threads, targets[0]))
        raise ModelyardError("enough")

    monkeypatch.setattr(run_command, "only_run", waits)
    monkeypatch.setattr(run_command, "_plan", plan)
    assert "error: enough" in modelyard("run", "xor_mlp").output
    assert planned == [(3, "evaluate@xor_mlp")]


def test_a_wrong_claim_does_not_stop_a_run(clone: Path, run: Run):
    with editing(clone / "claims.yaml") as claims:
        claims["dropout"]["metric"] = "gpa"
    done = run("modelyard", "run", "xor_mlp", "--dry-run")
    assert "6 of 6 stages would run" in done.stdout
    refused = run("modelyard", "replicate", "dropout", check=False)
    assert refused.returncode == 1
    assert "error: claims.yaml has a mistake; nothing was run.\n  dropout.metric (line " in refused.stderr


@pytest.mark.parametrize("option", ["--demo", "--dry-run"])
def test_a_project_without_experiments_is_refused(option: str, project: Path):
    (project / "published.yaml").unlink()
    with editing(project / "params.yaml") as settings:
        for section in ("experiments", "transfers", "pretrained", "studies"):
            settings[section] = {}
    result = modelyard("run", option)
    assert (result.exit_code, "params.yaml has no experiment to build" in result.output) == (1, True)


def test_an_experiment_on_request_is_built_where_it_is_named_only(clone: Path, run: Run):
    """Also by the comparison, which needs every experiment."""
    with editing(clone / "params.yaml") as settings:
        settings["experiments"]["xor_mlp"]["on_request"] = True
    for names, others, named in (([], True, False), (["xor_mlp"], False, True)):
        lines = run("modelyard", "run", *names, "--dry-run").stdout.splitlines()
        stages = {line.split()[0] for line in lines if line and not line.startswith(" ")}
        assert ("train@xor_perceptron" in stages, "compare" in stages) == (others, others)
        assert ({"train@xor_mlp", "evaluate@xor_mlp"} <= stages, "evaluate@xor_mlp" in stages) == (named, named)


FORKED_STATE = """
import importlib, json, sys, threading
for name in sys.argv[1:]:
    importlib.import_module(name)
from tensorflow.python.eager import context
print(json.dumps([threading.active_count(), context.context()._initialized]))
"""


@pytest.mark.slow
def test_the_libraries_of_the_fork_server_start_no_thread_and_compute_nothing():
    process = subprocess.run([sys.executable, "-c", FORKED_STATE, *LIBRARIES], check=True, capture_output=True)
    assert json.loads(process.stdout) == [1, False]
