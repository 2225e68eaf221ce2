"""Why DVC would run a stage, in projects that were built and then changed."""

from pathlib import Path

import pytest

from modelyard.orchestration.scheduler import Pipeline, StageState


def changes(root: Path) -> dict[str, tuple[str, ...]]:
    """The reasons of each stage that would run."""
    pipeline = Pipeline(root)
    pipeline.find_unchanged()
    return {name: stage.changes for name, stage in pipeline.stages.items() if stage.state is StageState.WAITING}


@pytest.fixture
def built(make_project) -> Path:
    root = make_project(
        """
        stages:
          make: {cmd: cat given > made, deps: [given], params: [size, more], outs: [made]}
          use: {cmd: cp made used, deps: [made], outs: [used]}
        """,
        "size: 3\nmore: {deep: {a: 1, b: [1, 2]}}\n",
    )
    (root / "given").write_text("1")
    assert changes(root)["use"][-1] == "after make"
    Pipeline(root).run(2, lambda stages: None)
    assert changes(root) == {}
    return root


def test_a_changed_value_is_shown_before_and_now(built: Path):
    (built / "params.yaml").write_text("size: 3\nmore: {deep: {b: [1, 2, 3], c: new}}\n")
    expected = ("more.deep.a: 1 -> nothing", "more.deep.b: [1, 2] -> [1, 2, 3]", "more.deep.c: nothing -> new")
    assert changes(built) == {"make": expected, "use": ("after make",)}


def test_changed_and_missing_files_are_named(built: Path):
    (built / "given").write_text("2")
    (built / "used").unlink()
    assert changes(built) == {"make": ("given changed",), "use": ("used is missing", "after make")}


def test_a_changed_command_is_a_reason(built: Path):
    dvc_yaml = built / "dvc.yaml"
    dvc_yaml.write_text(dvc_yaml.read_text().replace("cp made used", "cat made > used"))
    assert changes(built) == {"use": ("its command changed",)}


def test_a_long_value_is_shortened(built: Path):
    (built / "params.yaml").write_text(f"size: {'9' * 99}\nmore: {{deep: {{a: 1, b: [1, 2]}}}}\n")
    assert changes(built)["make"] == (f"size: 3 -> {'9' * 59}…",)
