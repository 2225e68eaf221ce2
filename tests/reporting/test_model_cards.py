"""Cards of models: what they say comes from the project's files, and only models that were evaluated have one."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.houses import house_input
from support.projects import CLASSIFICATION, DIGITS, edit, make_results
from support.reports import write_report

from modelyard.core.files import read_json, write_json
from modelyard.data.contract import describe_training
from modelyard.data.inputs import save_description
from modelyard.reporting.input_columns import InputColumn, InputFiles
from modelyard.reporting.model_cards import CardSources, model_card, read_cards, write_cards
from modelyard.serving.batch import SampleKind

SLICES = {
    "metric": "accuracy",
    "columns": {
        "smoker": {"yes": {"rows": 12, "value": 0.6, "low": 0.4, "high": 0.8}},
        "member": {
            "yes": {"rows": 20, "value": 0.6, "low": 0.4, "high": 0.8},
        },
    },
}


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
        ("boston_mlp", "`modelyard verify boston_mlp` builds it in a temporary folder"),
        ("boston_mlp", "| `training.optimizer` | adam |"),
        ("boston_mlp", "| `training.reshuffle_before_split` | false |"),
        ("boston_mlp", "| duration | 4.2 s |"),
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
    assert line.endswith("| 0.7958 outside |")


def test_training_has_the_epochs_and_which_of_them_the_model_is_of(project: Path) -> None:
    history = project / "results/digits_cnn/history.csv"
    history.write_text("epoch,val_loss\n1,3\n2,1\n3,2\n")
    assert "| trained epochs | 3 |" in model_card(CardSources.read(project), "digits_cnn")
    stopping = {"monitor": "val_loss", "patience": 1, "restore_best": True}
    edit(project / "params.yaml", "experiments", "digits_cnn", "training", "early_stopping", value=stopping)
    assert "| trained epochs | 3; the model is of epoch 2 |" in model_card(CardSources.read(project), "digits_cnn")


@pytest.mark.parametrize(
    "kind, shape, words",
    [
        ("text", "60", "FILES are texts in UTF-8. Of each, the first 59 words are read. Scaling,"),
        ("image", "8 x 8 x 1", "Each is resized to 8 x 8 x 1. Scaling,"),
        ("table", "13", "FILES are tables (CSV, Parquet or Feather). It takes raw samples of shape 13. Scaling,"),
        (None, "13", "\nIt takes raw samples of shape 13. Scaling,"),
    ],
)
def test_use_says_what_becomes_of_each_file(sources: CardSources, kind: SampleKind, shape: str, words: str) -> None:
    cards = [
        replace(card, inputs=tuple(replace(each, shape=shape, files=InputFiles(kind)) for each in card.inputs))
        for card in sources.data_cards
    ]
    assert words in model_card(replace(sources, data_cards=cards), "boston_mlp")


def test_what_is_known_from_one_training_only_is_a_limit(sources: CardSources) -> None:
    assert "not the random seed" in model_card(sources, "digits_cnn")
    assert "not the random seed" not in model_card(sources, "boston_mlp")


def test_runs_by_other_settings_say_nothing_about_a_model(sources: CardSources) -> None:
    of_others = [replace(row, has_other_settings=True) for row in sources.replication]
    card = model_card(replace(sources, replication=of_others), "boston_mlp")
    assert "not the random seed" in card
    assert "0.765 to 0.823" not in card


def test_a_class_that_is_predicted_worse_is_a_limit(project: Path) -> None:
    details = project / "results/digits_cnn/details.json"
    content = read_json(details)
    content["classes"]["8"]["f1"] = 0.5
    write_json(details, content)
    content["classes"]["3"] |= {"f1": 0.0, "rows": 0}
    write_json(details, content)
    assert "- Worse than on average at: 8 (F1 0.50)." in model_card(CardSources.read(project), "digits_cnn")


def test_names_from_data_are_no_markup(project: Path) -> None:
    details = project / "results/digits_cnn/details.json"
    content, evil = read_json(details), "<img src=x>|[l](http://evil)"
    content["classes"] = {evil: {**content["classes"].pop("8"), "f1": 0.0}, **content["classes"]}
    write_json(details, content)
    card = model_card(CardSources.read(project), "digits_cnn")
    shown = r"\<img src=x\>\|[l\](http://evil)"
    assert f"| {shown} | 36 |" in card
    assert f"Worse than on average at: {shown} (F1 0.00)." in card
    assert evil not in card


def test_small_slices_are_named_with_their_column(project: Path) -> None:
    details = project / "results/digits_cnn/details.json"
    write_json(details, read_json(details) | {"slices": SLICES})
    card = model_card(CardSources.read(project), "digits_cnn")
    assert "- Slices with few samples, of which little is known: smoker = yes, member = yes." in card


def test_the_calibration_is_computed_from_the_predictions(project: Path) -> None:
    predictions = "truth,prediction,probability,loss\n1,1,0.95,0.1\n2,2,0.85,0.2\n"
    (project / "results/digits_cnn/predictions.csv").write_text(predictions)
    card = model_card(CardSources.read(project), "digits_cnn")
    calibration = card.partition("### Calibration")[2].partition("## Limits")[0]
    assert "| expected calibration error | 0.1 |" in calibration
    assert "in 10 bins of equal width" in calibration


def test_the_brier_score_belongs_to_the_calibration(project: Path) -> None:
    two = {"positive_class": "1", "classes": {label: DIGITS[label] for label in "01"}}
    make_results(project, "xor_mlp", CLASSIFICATION | {"brier_score": 0.08}, two)
    calibration = model_card(CardSources.read(project), "xor_mlp").partition("### Calibration")[2]
    assert "| Brier score (95 % interval) | 0.08 (0.07 to 0.09) |" in calibration
    assert "expected calibration error" not in calibration, "there are no predictions"


def test_a_regression_has_no_calibration(sources: CardSources) -> None:
    assert "Calibration" not in model_card(sources, "boston_mlp")


def describe_houses(project: Path, temporary: Path) -> None:
    """Let an input of a project be a table with named columns."""
    data, folder = house_input(temporary, "price"), project / "data/inputs/boston"
    (folder / "training").mkdir()
    save_description(data.description, folder / "training")
    describe_training(data.samples.x, data.description).save(folder / "contract")


def test_use_says_which_columns_the_model_takes_and_what_it_answers(project: Path, tmp_path: Path) -> None:
    describe_houses(project, tmp_path)
    use, _, rest = model_card(CardSources.read(project), "boston_mlp").partition("## Use")[2].partition("## Rebuild")
    assert "FILES are tables (CSV, Parquet or Feather). It takes the raw values of its columns, in any order." in use
    assert "For each sample it returns the prediction in 1000 dollars." in use
    assert "| column | kind | training samples | may be empty |" in rest
    assert "| town | category | 3 categories: Bonn, Köln, Ulm | yes |" in rest


def test_a_short_card_ends_with_a_few_columns_slices_and_classes(project: Path) -> None:
    details = project / "results/boston_mlp/details.json"
    write_json(details, read_json(details) | {"slices": {**SLICES, "metric": "correlation"}, "classes": DIGITS})
    sources = CardSources.read(project)
    columns = tuple(InputColumn(f"c{number}", "number", "0 to 1", "no") for number in range(62))
    cards = [
        replace(card, inputs=tuple(replace(each, files=InputFiles("table", columns)) for each in card.inputs))
        for card in sources.data_cards
    ]
    long, short = (model_card(replace(sources, data_cards=cards), "boston_mlp", rows) for rows in (None, 2))
    assert "| c49 | number | 0 to 1 | no |\n\nAnd 12 more." in long
    rebuild, tables = short.index("## Rebuild"), short.partition("## Columns")[2]
    assert rebuild < short.index("## Columns") < short.index("## By slice") < short.index("## By class")
    assert [line for line in tables.splitlines() if line.startswith("And")] == [
        f"And {count} more." for count in (60, 1, 8)
    ]
    assert tables.count("| c1 |") == 1
    assert "c2" not in tables


def test_only_evaluated_experiments_with_readable_results_have_a_card(project: Path) -> None:
    def write() -> list[Path]:
        sources = CardSources.read(project)
        return write_cards(project, sources.project, read_cards(sources, sources.project.all_experiments))

    written = write()
    assert project / "results/boston_mlp/card.md" in written
    assert all((file.parent / "metrics.json").exists() for file in written)
    (project / "results/digits_cnn/metrics.json").write_text("no JSON")
    assert {*written} - {*write()} == {project / "results/digits_cnn/card.md"}
    assert not (project / "results/digits_cnn/card.md").exists(), "of other results"


def test_a_note_becomes_part_of_the_purpose(project: Path) -> None:
    edit(project / "published.yaml", "boston_mlp", "note", value="a first network")
    assert "It shows: a first network." in model_card(CardSources.read(project), "boston_mlp")


def test_the_page_of_the_report_has_each_card(project: Path, tmp_path: Path) -> None:
    describe_houses(project, tmp_path)
    predictions = "truth,prediction,probability,loss\n1,1,0.95,0.1\n2,2,0.85,0.2\n"
    (project / "results/digits_cnn/predictions.csv").write_text(predictions)
    page = write_report(project, tmp_path / "index.html").page
    houses, digits = (
        page.html.partition(f'<div id="experiment-{name}">')[2].partition("</details>\n<details>")[0]
        for name in ("boston_mlp", "digits_cnn")
    )
    assert "<p>A model of the family <code>mlp</code> for regression. It shows: raw features.</p>" in houses
    assert "<td>town</td><td>category</td><td>3 categories: Bonn, Köln, Ulm</td><td>yes</td>" in houses
    assert "For each sample it returns the prediction in 1000 dollars." in houses
    assert "<dt>expected calibration error</dt><dd>0.1</dd>" in digits
    for part in ("not the random seed", "modelyard predict digits_cnn FILES", "modelyard run digits_cnn"):
        assert part in digits
