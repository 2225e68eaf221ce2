"""What people read of a run: its result, the published value, and a description."""

from pathlib import Path

import pytest
from support.paths import ROOT

from modelyard.tracking import descriptions

METRICS = {"loss": 12.0, "correlation": 0.94196}
DETAILS = {"rows": 102, "intervals": {"loss": [9.0, 15.0], "correlation": [0.91263, 0.96339]}}


@pytest.fixture
def plots(tmp_path: Path) -> Path:
    """A folder of plots."""
    for name in ("coefficients.png", "learning_curve.png"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is that of this project."""
    monkeypatch.chdir(ROOT)


@pytest.mark.usefixtures("repository")
def test_an_evaluated_run_says_what_it_is_its_result_the_published_value_and_shows_a_plot(plots: Path):
    tags = descriptions.result_tags("boston_mlp_standard", METRICS, DETAILS, plots, "0a1b")
    assert tags["result"] == "correlation 0.942 (0.9126 to 0.9634)"
    assert tags["published"] == "correlation 0.9435"
    what, result, card, plot = tags[descriptions.NOTE].split("\n\n")
    assert what.startswith("Model family `mlp` on the data set `boston`: ")
    assert result == (
        "**correlation 0.942** (95 % interval 0.9126 to 0.9634) on 102 test samples. "
        "The published value is correlation 0.9435."
    )
    assert card == "`modelyard report` writes its card: `results/boston_mlp_standard/card.md`."
    assert plot == "![learning curve](get-artifact?path=figures/learning_curve.png&run_uuid=0a1b)"


@pytest.mark.usefixtures("repository")
def test_a_note_is_part_of_the_description(plots: Path):
    tags = descriptions.result_tags("boston_boosting", METRICS, DETAILS, plots, "0a1b")
    assert " Note: gradient boosting." in tags[descriptions.NOTE]
    assert "published" not in tags


@pytest.mark.usefixtures("repository")
def test_a_run_starts_with_the_tags_that_people_read():
    assert list(descriptions.first_tags("boston_mlp_standard")) == ["result", "published"]
    assert descriptions.first_tags("xor_mlp") == {"result": "not evaluated"}


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
