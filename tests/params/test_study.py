"""Settings of a study: ranges, choices, and every kind of mistake with its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.paths import PARAMS

from modelyard import params
from modelyard.core.config import flatten, with_changes
from modelyard.core.errors import ModelyardError
from modelyard.params.study import (
    DEFAULT_LEARNING_RATES,
    Choices,
    Range,
    baseline_values,
    storage_label,
    study_mistakes,
)
from modelyard.tuning.plan import make_plan

EPOCHS = "training.epochs: {low: 10, high: 60, step: 10}"
FILTERS = "model.filters: {choices: [[16, 32], [32, 64], [32, 64, 128], [64, 128]]}"
INPUTS = "input: {choices: [boston, boston_minmax, boston_standard]}"
RATE = "training.learning_rate: {low: 0.0003, high: 0.01, log: true}\n    n_trials: 30"


@pytest.fixture
def message(tmp_path: Path):
    """The error message after the first occurrence of a text in `studies` of params.yaml was replaced."""

    def read(old: str, new: str) -> str:
        before, studies = PARAMS.read_text(encoding="utf-8").split("\nstudies:")
        assert old in studies, f"params.yaml no longer holds {old!r}: update this test"
        path = tmp_path / "params.yaml"
        path.write_text(f"{before}\nstudies:{studies.replace(old, new, 1)}", encoding="utf-8")
        with pytest.raises(ModelyardError) as raised:
            params.load(path)
        return str(raised.value)

    return read


def test_the_baseline_values_of_every_study_fit_its_experiment():
    project = params.load(PARAMS)
    assert {"mnist_cnn", "fashion_cnn", "digits_cnn", "boston_mlp"} <= set(project.studies)
    for study in project.studies.values():
        experiment = project.experiments[study.experiment]
        assert (
            flatten(with_changes(experiment, baseline_values(study, experiment)).model_dump()).keys()
            == flatten(experiment.model_dump()).keys()
        )


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        pytest.param(
            "experiment: digits_cnn", "experiment: digits_cn",
            ("studies.digits_cnn.experiment (line", "no such experiment; did you mean digits_cnn?"), id="experiment",
        ),
        pytest.param(
            EPOCHS, "training.epoch: {low: 10, high: 60}",
            ("studies.digits_cnn.search_space.training.epoch (line", "did you mean training.epochs?"), id="key",
        ),
        pytest.param(
            EPOCHS, "training.seed: {low: 770, high: 790}",
            ("search_space.training.seed (line", "the seed is chance, not a setting"), id="seed",
        ),
        pytest.param(
            EPOCHS, "training.epochs: {low: 60, high: 10}", ("low 60 is not below high 10",), id="inverted"
        ),
        pytest.param(
            EPOCHS, "training.epochs: {low: 40, high: 40}", ("low 40 is not below high 40",), id="empty"
        ),
        pytest.param(
            RATE, RATE.replace("0.01", ".inf"),
            ("studies.digits_cnn.search_space.training.learning_rate.high (line", "finite number"), id="no end",
        ),
        pytest.param(
            EPOCHS, "training.epochs: {low: 0, high: 60, step: 10}",
            ("search_space.training.epochs.low (line", "given 0", "greater than or equal to 1"), id="refused end",
        ),
        pytest.param(
            EPOCHS, "training.epochs: {low: 10.5, high: 60.5}",
            ("search_space.training.epochs.low (line", "valid integer"), id="a fraction of an epoch",
        ),
        pytest.param(
            EPOCHS, "training.epochs: {low: 10, high: 60, log: true, step: 10}", ("has no step",), id="step and log"
        ),
        pytest.param(EPOCHS, "training.epochs: {choices: []}", ("at least 1 item",), id="no choice"),
        pytest.param(EPOCHS, "training.epochs: {choices: [40, 40]}", ("40 is listed twice",), id="twice"),
        pytest.param(
            FILTERS, "model.filters: {choices: [[32, 64], [32, -1]]}",
            ("search_space.model.filters.choices.1 (line", "the experiment refuses it"), id="refused choice",
        ),
        pytest.param(
            INPUTS, "input: {choices: [boston, boston_min]}", ("no such input; did you mean boston_minmax?",),
            id="input",
        ),
        pytest.param(
            INPUTS, "input: {choices: [boston, {a: 1}]}", ("input.choices.1 (line", "no such input"), id="no name",
        ),
        pytest.param(
            INPUTS, "input: {choices: [boston, diabetes_minmax]}",
            ("its samples are split differently from boston",), id="an input of other rows",
        ),
        pytest.param("folds: 5", "folds: 1", ("studies.boston_mlp.folds", "greater than or equal to 2"), id="one fold"),
        pytest.param(
            "folds: 5\n", "\n", ("input boston has no validation samples", "give the study `folds`"), id="no folds"
        ),
        pytest.param(
            "folds: 5", "folds: 5\n    training_samples: 100", ("folds use all samples",), id="folds of some rows"
        ),
        pytest.param(
            "n_trials: 30", "n_trials: 0", ("studies.digits_cnn.n_trials", "greater than or equal to 1"), id="no trials"
        ),
        pytest.param(
            "n_trials: 30", "n_trials: 30\n    pruner: medain", ("did you mean median?",), id="pruner"
        ),
        pytest.param(
            "training.epochs: {low: 10, high: 60, step: 10}", "training.epochs: {low: 10, high: 60, step: 2.5}",
            ("epochs are counted: give an integer",), id="half an epoch",
        ),
        pytest.param(
            "training.batch_size: {choices: [16, 32, 64, 128]}", "training.batch_size: {low: 16, high: 64, step: 16.0}",
            ("search_space.training.batch_size.step (line", "valid integer"), id="a step that makes fractions",
        ),
        pytest.param(
            "n_trials: 30", "n_trials: 30\n    metrics: [parameters]",
            ("studies.digits_cnn.metrics", "allowed: [accuracy, parameters]; or leave it out"), id="no score",
        ),
        pytest.param(
            "n_trials: 30", "n_trials: 30\n    max_stagnation_trials: 3",
            ("studies.digits_cnn", "3 is too few: the first 5 trials are drawn at random"), id="stops at once",
        ),
        pytest.param(
            "n_trials: 30", "n_trials: 30\n    metrics: [accuracy, parameters]\n    pruner: median",
            ("one metric to prune by, not several: leave out `pruner` or `metrics`",), id="nothing to prune by",
        ),
        pytest.param(
            "n_trials: 30", "n_trials: 30\n    metrics: [accuracy, parameters]\n    max_stagnation_trials: 20",
            ("leave out `max_stagnation_trials` or `metrics`",), id="no one best score",
        ),
        pytest.param(
            "n_trials: 30", "n_trials: 30\n    warm_start: digits",
            ("studies.digits_cnn.warm_start (line", "no such study"), id="start from nothing",
        ),
        pytest.param(
            RATE, RATE.replace("low: 0.0003", "low: 0.0"), ("a logarithmic range needs low above 0",), id="log of 0"
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_a_study_is_reported_with_its_place(old, new, parts, message):
    text = message(old, new)
    assert "nothing was run" in text
    assert [part for part in parts if part not in text] == [], text


@pytest.mark.parametrize("other", ["{low: 50, high: 60}", "{low: 10, high: 60, step: 20}"])
def test_a_study_that_lacks_the_value_of_its_experiment_is_refused_where_it_is_searched_only(
    other: str, tmp_path: Path
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.read_text(encoding="utf-8").replace(EPOCHS, f"training.epochs: {other}", 1))
    project = params.load(path)
    params.check_search_spaces(project, project.studies.keys() - {"digits_cnn"}, path)
    place = r"studies\.digits_cnn\.search_space\.training\.epochs \(line \d+\): it must hold .*own value 40, .*add it"
    with pytest.raises(ModelyardError, match=place):
        make_plan(project, "digits_cnn", tmp_path)


def test_metrics_of_a_data_set_without_an_expected_shape_are_checked_too(tmp_path: Path) -> None:
    text = PARAMS.read_text(encoding="utf-8").replace("shape: [8, 8, 1], ", "", 1)
    before, studies = text.split("\nstudies:")
    studies = studies.replace("n_trials: 30", "n_trials: 30\n    metrics: [acuracy, latency]", 1)
    (tmp_path / "params.yaml").write_text(f"{before}\nstudies:{studies}", encoding="utf-8")
    with pytest.raises(ModelyardError, match=r"allowed: \[accuracy, parameters\]; or leave it out"):
        params.load(tmp_path / "params.yaml")


@pytest.mark.usefixtures("default_runtime")
def test_a_setting_that_is_left_out_of_files_where_it_is_unset_can_be_searched(tmp_path: Path):
    searched = "training.class_weights: {choices: [none, balanced]}"
    (tmp_path / "params.yaml").write_text(PARAMS.read_text(encoding="utf-8").replace(EPOCHS, searched, 1))
    project = params.load(tmp_path / "params.yaml")
    study = project.studies["digits_cnn"]
    assert baseline_values(study, project.experiments["digits_cnn"])["training.class_weights"] == "none"


def test_the_default_learning_rates_are_those_of_keras():
    import keras

    assert {name: float(keras.optimizers.get(name).learning_rate) for name in DEFAULT_LEARNING_RATES} == pytest.approx(
        DEFAULT_LEARNING_RATES
    )


@given(
    low=some.integers(-50, 50), span=some.integers(1, 100), step=some.integers(1, 100), value=some.integers(-60, 160)
)
def test_a_range_of_integers_holds_the_same_numbers_as_pythons_range(low, span, step, value):
    if step <= span:
        assert Range(low=low, high=low + span, step=step).holds(value) == (value in range(low, low + span + 1, step))


@given(some.lists(some.lists(some.integers(1, 512), max_size=4).map(tuple), min_size=1, unique=True))
def test_a_list_among_choices_is_found_by_its_storage_label(choices):
    variation = Choices(choices=tuple(choices))
    assert [variation.by_label[storage_label(choice)] for choice in choices] == choices


def test_the_evaluation_by_folds_is_nothing_to_search():
    project = params.load(PARAMS)
    study = project.studies["digits_cnn"]
    evaluated = with_changes(project.experiments["digits_cnn"], {"evaluate": {"folds": 5}})
    varied = study.model_copy(update={"search_space": {**study.search_space, "evaluate.folds": Range(low=2, high=9)}})
    (mistake,) = study_mistakes(varied, {**project.experiments, "digits_cnn": evaluated}, project.inputs)
    assert "digits_cnn has no such key" in mistake.reason
