"""The plan of a search."""

from pathlib import Path

import pytest
from support.paths import PARAMS
from support.searches import EXPERIMENT, plan

from modelyard import params
from modelyard.models import NetworkTraining
from modelyard.models.families import mlp
from modelyard.params.project import NetworkExperiment
from modelyard.params.study import Choices, Range
from modelyard.tuning.plan import make_plan

NETWORK = NetworkExperiment(
    input="made_up",
    model=mlp.Settings(family="mlp", units=(4,)),
    training=NetworkTraining(seed=7, epochs=4, loss="mse"),
)
UNITS = {"model.units": Choices(choices=((4,), (8, 4)))}


def test_max_steps_are_the_largest_number_of_epochs_or_the_folds(tmp_path):
    epochs = {"training.epochs": Range(low=2, high=9)}
    assert plan(tmp_path, NETWORK, search_space=epochs).max_steps == 9
    assert plan(tmp_path, NETWORK, search_space={"training.epochs": Choices(choices=(4, 12))}).max_steps == 12
    assert plan(tmp_path, NETWORK, search_space=UNITS).max_steps == 4
    assert plan(tmp_path, NETWORK, search_space=epochs, folds=5).max_steps == 5
    assert plan(tmp_path, EXPERIMENT).max_steps == 1


@pytest.mark.parametrize(
    "epochs, compared",
    [
        (Range(low=2, high=9, step=3), (2, 5, 8)),
        (Range(low=2, high=4), (2, 3, 4)),
        (Choices(choices=(12, 4)), (4, 12)),
    ],
)
def test_the_numbers_of_epochs_to_compare_are_those_that_the_study_allows(tmp_path, epochs, compared):
    assert plan(tmp_path, NETWORK, search_space=UNITS | {"training.epochs": epochs}).epochs_to_compare == compared


@pytest.mark.parametrize(
    "training, varied",
    [
        ({"schedule": {"kind": "cosine"}}, {}),
        ({"early_stopping": {"monitor": "val_mae", "patience": 2}}, {}),
        ({"reshuffle_before_split": True}, {}),
        ({}, {"training.schedule": Choices(choices=(None, {"kind": "cosine"}))}),
        ({"schedule": {"kind": "cosine"}}, {"training.schedule.alpha": Range(low=0.0, high=0.5)}),
    ],
)
def test_no_numbers_of_epochs_are_compared_where_a_short_training_is_not_the_beginning_of_a_long_one(
    tmp_path, training, varied
):
    experiment = NETWORK.model_copy(update={"training": NetworkTraining(seed=7, epochs=4, loss="mse", **training)})
    space = varied | {"training.epochs": Range(low=2, high=9)}
    assert plan(tmp_path, experiment, search_space=space).epochs_to_compare == ()


def test_a_study_without_epochs_compares_none(tmp_path):
    assert plan(tmp_path, NETWORK, search_space=UNITS).epochs_to_compare == ()
    assert plan(tmp_path, EXPERIMENT).epochs_to_compare == ()


@pytest.mark.parametrize(
    "changes, pruner",
    [
        ({"search_space": UNITS | {"training.epochs": Range(low=2, high=9)}}, "median"),
        ({"search_space": UNITS, "folds": 3}, "median"),
        ({"search_space": UNITS}, "none"),
        ({"search_space": UNITS, "pruner": "hyperband"}, "hyperband"),
        ({"search_space": UNITS, "metrics": ("mae", "parameters"), "folds": 3}, "none"),
    ],
)
def test_a_study_without_a_pruner_has_that_which_suits_it(tmp_path, changes, pruner):
    assert plan(tmp_path, NETWORK, **{"pruner": None, **changes}).pruner == pruner


def test_a_plan_holds_the_studys_experiment_inputs_metric_and_runtime(tmp_path):
    project = params.load(PARAMS)
    digits_plan = make_plan(project, "digits_cnn", tmp_path)
    assert digits_plan.experiment == project.experiments["digits_cnn"]
    assert (digits_plan.metric, digits_plan.direction) == ("val_accuracy", "maximize")
    assert digits_plan.runtime == project.runtime
    assert list(digits_plan.inputs) == ["digits"]
    assert digits_plan.training_folder("digits") == Path(tmp_path, "data", "inputs", "digits", "training")
    assert digits_plan.space["datasets"]["digits"]["classes"] == list("0123456789")
    assert {"tuning/objective.py", "models/families/cnn.py"} <= digits_plan.space["code"].keys()
    assert digits_plan.space["search_space"].keys() == project.studies["digits_cnn"].search_space.keys()


def test_where_the_data_come_from_and_what_is_only_displayed_are_no_part_of_the_space(tmp_path):
    (dataset,) = make_plan(params.load(PARAMS), "digits_cnn", tmp_path).space["datasets"].values()
    assert not {"description", "license", "folder", "debian", "expect"} & dataset.keys()
    (source,) = dataset["files"].values()
    assert len(source["sha256"] or source["decompressed"]) == 64
    assert not {"url", "package", "path"} & source.keys()
