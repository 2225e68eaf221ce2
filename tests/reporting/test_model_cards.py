"""Cards of models: what they say comes from the project's files, and only models that were evaluated have one."""

from pathlib import Path

import pytest
from support.projects import edit

from modelyard.core.files import read_json, write_json
from modelyard.reporting.model_cards import CardSources, model_card, write_cards


@pytest.fixture(scope="module")
def sources(original: Path) -> CardSources:
    return CardSources.read(original)


@pytest.mark.parametrize(
    ("experiment", "line"),
    [
        ("boston_mlp", "A model of the family `mlp` for regression."),
        ("boston_mlp", "| unit of the target | 1000 dollars |"),
        ("boston_mlp", "| `model.units` | [64, 32] |"),
        ("boston_mlp", "| correlation | the same | 8 | 0.79 (0.7733 to 0.8067) | 0.765 to 0.823 |"),
        ("boston_mlp", "modelyard predict boston_mlp FILES"),
        ("boston_mlp", "modelyard run boston_mlp"),
        (
            "digits_cnn",
            "| license | CC BY 4.0 (UCI Machine Learning Repository, Optical Recognition of Handwritten Digits) |",
        ),
        ("digits_cnn", "| class | samples | precision | recall | f1 |"),
    ],
)
def test_a_card_has_data_training_results_use_and_rebuild(sources: CardSources, experiment: str, line: str) -> None:
    assert line in model_card(sources, experiment)


def test_published_values_stand_beside_the_results(sources: CardSources) -> None:
    (line,) = [line for line in model_card(sources, "boston_mlp").splitlines() if line.startswith("| correlation | 0.")]
    assert line.endswith("| 0.7958 |")


def test_what_is_known_from_one_training_only_is_a_limit(sources: CardSources) -> None:
    assert "not on the luck of one training" in model_card(sources, "digits_cnn")
    assert "not on the luck of one training" not in model_card(sources, "boston_mlp")


def test_a_class_that_is_predicted_worse_is_a_limit(project: Path) -> None:
    details = project / "results/digits_cnn/details.json"
    content = read_json(details)
    content["classes"]["8"]["f1"] = 0.5
    write_json(details, content)
    assert "- Worse than on average at: 8 (F1 0.50)." in model_card(CardSources.read(project), "digits_cnn")


def test_only_evaluated_experiments_with_readable_results_have_a_card(project: Path) -> None:
    written = write_cards(CardSources.read(project))
    assert project / "results/boston_mlp/card.md" in written
    assert all((file.parent / "metrics.json").exists() for file in written)
    (project / "results/digits_cnn/metrics.json").write_text("no JSON")
    (project / "results/digits_cnn/card.md").unlink()
    again = write_cards(CardSources.read(project))
    assert {*written} - {*again} == {project / "results/digits_cnn/card.md"}
    assert not (project / "results/digits_cnn/card.md").exists()


def test_a_note_becomes_part_of_the_purpose(project: Path) -> None:
    edit(project / "published.yaml", "boston_mlp", "note", value="a first network")
    assert "It shows: a first network." in model_card(CardSources.read(project), "boston_mlp")
