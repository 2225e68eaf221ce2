"""What people read of a run: its result, the published value, and a description."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from support.paths import ROOT

from modelyard.tracking import descriptions

METRICS = {"loss": 12.0, "correlation": 0.94196}
DETAILS = {"rows": 102, "intervals": {"loss": [9.0, 15.0], "correlation": [0.91263, 0.96339]}}


@pytest.fixture
def plots(tmp_path: Path) -> Path:
    """A folder of plots."""
    folder = tmp_path / "figures"
    folder.mkdir()
    for name in ("coefficients.png", "learning_curve.png"):
        (folder / name).touch()
    return folder


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is that of this project."""
    monkeypatch.chdir(ROOT)


@pytest.mark.usefixtures("repository")
def test_an_evaluated_run_says_what_it_is_its_result_the_published_value_and_shows_a_plot(plots: Path):
    tags = descriptions.result_tags("boston_mlp_standard", METRICS, DETAILS, plots, "0a1b")
    assert tags["result"] == "correlation 0.942 (0.9126 to 0.9634)"
    assert tags["published"] == "correlation 0.9435"
    what, result, plot = tags[descriptions.NOTE].split("\n\n")
    assert what.startswith("Model family `mlp` on the data set `boston`: ")
    assert result == (
        "**correlation 0.942** (95 % interval 0.9126 to 0.9634) on 102 test samples. "
        "The published value is correlation 0.9435."
    )
    assert plot == "![learning curve](get-artifact?path=figures/learning_curve.png&run_uuid=0a1b)"


@pytest.mark.usefixtures("repository")
def test_a_note_is_part_of_the_description(plots: Path):
    tags = descriptions.result_tags("boston_boosting", METRICS, DETAILS, plots, "0a1b")
    assert " Note: gradient boosting." in tags[descriptions.NOTE]
    assert "published" not in tags


@pytest.mark.usefixtures("repository")
def test_a_run_starts_with_the_tags_that_people_read():
    tags = descriptions.first_tags("boston_mlp_standard")
    assert list(tags) == ["result", "published", descriptions.NOTE]
    assert tags[descriptions.NOTE].startswith("Model family `mlp` on the data set `boston`: ")
    assert "published" not in descriptions.first_tags("xor_mlp")
    assert descriptions.first_tags("unknown") == {"result": "not evaluated"}


@pytest.mark.parametrize("epochs, plot", [(1, "coefficients.png"), (2, "learning_curve.png")])
def test_a_learning_curve_of_one_epoch_is_not_shown(epochs: int, plot: str, plots: Path):
    (plots.parent / "history.csv").write_text("epoch,loss\n" + "1,0.5\n" * epochs)
    tags = descriptions.result_tags("a", METRICS, DETAILS, plots, "0a1b")
    assert f"path=figures/{plot}&" in tags[descriptions.NOTE]


def test_the_link_to_the_card_is_in_the_first_lines_and_there_once():
    run = SimpleNamespace(experiment_id="1", run_id="0a1b")
    once = descriptions.with_card({descriptions.NOTE: "what\n\nresult\n\n![plot](a.png)"}, run, "card.md")
    link = "[Model card](#/experiments/1/runs/0a1b/artifacts/card.md?workflowType=machine_learning)"
    assert once == f"what {link}\n\nresult\n\n![plot](a.png)"
    assert descriptions.with_card({descriptions.NOTE: once}, run, "card.md") == once


@pytest.mark.parametrize("content", [None, "datasets: [", "datasets: {}"])
def test_without_readable_settings_the_result_is_described_alone(tmp_path: Path, monkeypatch, content: str | None):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "params.yaml").write_text(content)
    tags = descriptions.result_tags(
        "a", {"accuracy": 1.0}, {"rows": 4, "intervals": {"accuracy": [1, 1]}}, tmp_path, ""
    )
    assert tags == {
        "result": "accuracy 1 (1 to 1)",
        descriptions.NOTE: "**accuracy 1** (95 % interval 1 to 1) on 4 test samples.",
    }
