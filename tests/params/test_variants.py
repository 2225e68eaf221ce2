"""An experiment with changes, once for each seed; and the mistakes that a claim can hold."""

from pathlib import Path

import pytest
from support.paths import PARAMS

from modelyard import params
from modelyard.core.config import changed
from modelyard.core.errors import ModelyardError
from modelyard.params.project import Project
from modelyard.params.variants import digest, resolve


@pytest.fixture(scope="module")
def project() -> Project:
    return params.load(PARAMS)


def test_without_changes_a_subject_is_the_experiment_of_the_file(project: Project):
    resolved = resolve(project, "boston_mlp", {})
    assert resolved.experiment == project.experiments["boston_mlp"]
    assert resolved.input == project.inputs["boston"]
    assert resolved.dataset == project.datasets["boston"]
    assert resolved.backbone is None


def test_changes_reach_model_training_and_input(project: Project):
    changes = {"model.units": (8,), "training.epochs": 3, "split.first": 100, "scaling": "standard"}
    resolved = resolve(project, "mnist_mlp", changes)
    assert (resolved.experiment.model.units, resolved.experiment.training.epochs) == ((8,), 3)
    assert (resolved.input.split.first, resolved.input.scaling) == (100, "standard")
    assert project.experiments["mnist_mlp"].training.epochs == 10


def test_another_input_brings_its_data_set(project: Project):
    resolved = resolve(project, "boston_mlp", {"input": "diabetes_standard"})
    assert resolved.input == project.inputs["diabetes_standard"]
    assert resolved.dataset == project.datasets["diabetes"]


def test_changes_of_a_backbone_are_of_the_network_that_a_transfer_starts_from(project: Project):
    resolved = resolve(project, "mnist_transfer", {"backbone.training.epochs": 1, "training.epochs": 2})
    assert resolved.backbone.experiment.training.epochs == 1
    assert resolved.experiment.training.epochs == 2
    assert [each.input.dataset for each in resolved.self_and_backbones()] == ["mnist", "fashion_mnist"]


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("boston_mpl", {}, "no such experiment: boston_mpl; did you mean boston_mlp?"),
        ("boston_mlp", {"modle.units": ()}, "changes.modle.units: did you mean model?"),
        ("boston_mlp", {"model.unts": ()}, "did you mean units?"),
        ("boston_mlp", {"training.epochs": 0}, "greater than or equal to 1"),
        ("boston_mlp", {"training.epochs": "50"}, "valid integer"),
        ("boston_mlp", {"input": "bostn"}, "no such input: bostn; did you mean boston?"),
        ("boston_mlp", {"backbone.training.epochs": 1}, "starts from no other network"),
        ("boston_mlp", {"training.loss": "categorical_crossentropy"}, "does not fit a regression"),
        ("boston_mlp", {"training.early_stopping.patience": 3}, "there is nothing of this name to change"),
        ("cifar10_vgg16", {}, "starts from weights that others trained"),
    ],
)
def test_a_wrong_change_is_told(project: Project, name: str, changes: dict, told: str):
    with pytest.raises(ModelyardError) as raised:
        resolve(project, name, changes)
    assert told in str(raised.value)


def test_seeds_rise_with_the_number_and_nothing_else_changes(project: Project):
    resolved = resolve(project, "mnist_transfer", {})
    later = resolved.with_seed_offset(3, splits=False)
    assert (later.seed, later.backbone.seed) == (780, 780)
    assert later.input == resolved.input
    assert later.with_seed_offset(-3, splits=False) == resolved == resolved.with_seed_offset(0, splits=False)


def test_seeds_of_the_split_rise_where_splits_are_asked_for(project: Project):
    resolved = resolve(project, "digits_mlp", {})
    assert resolved.with_seed_offset(2, splits=True).input.split.test_seed == 779
    assert resolved.with_seed_offset(2, splits=False).input.split.test_seed == 777


def test_given_test_rows_cannot_be_drawn_anew(project: Project):
    with pytest.raises(ModelyardError, match="not drawn by chance"):
        resolve(project, "mnist_mlp", {}).with_seed_offset(1, splits=True)


def test_a_digest_tells_every_setting_but_what_is_for_display(project: Project):
    resolved = resolve(project, "boston_mlp", {})
    same = resolve(project, "boston_mlp", {"training.epochs": 100})
    other = resolve(project, "boston_mlp", {"training.epochs": 99})
    assert digest(resolved.to_dict()) == digest(same.to_dict()) != digest(other.to_dict())
    renamed = changed(resolved.dataset, {"description": "Something else."})
    assert renamed.model_dump(exclude={"description"}) == resolved.dataset.model_dump(exclude={"description"})
    assert "description" not in resolved.to_dict()["dataset"]


def test_what_can_be_measured_depends_on_the_task_and_on_validation_rows(project: Project):
    assert resolve(project, "boston_mlp", {}).metrics == ("correlation", "mae", "mse", "r2", "loss")
    held_back = ("val_loss", "val_accuracy", "gap")
    assert resolve(project, "digits_mlp", {}).metrics == ("accuracy", "macro_f1", "loss", *held_back)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("first: {experiment: xor_mlp}", "first: {experiment: xor_mpl}", "claims.one_neuron (line"),
        ("first: {experiment: xor_mlp}", "first: {experiment: xor_mpl}", "did you mean xor_mlp?"),
        ("metric: gap", "metric: gpa", "claims.dropout.metric"),
        ("metric: gap", "metric: gpa", "not measured on both sides; did you mean gap?"),
        ("    changes: {split.first: 2000}", "    splits: true", "not drawn by chance (split.test: given)"),
        ("changes: {model.dropout: 0.5}", "changes: {model.dropout: 1.5}", "less than 1"),
        ("{experiment: digits_mlp, changes: {scaling: standard}}", "{experiment: digits_mlp}", "are the same"),
        ("direction: equal", "direction: equl", "did you mean equal?"),
    ],
)
def test_a_mistake_in_a_claim_stops_before_anything_is_run(tmp_path: Path, old: str, new: str, told: str):
    content = PARAMS.read_text(encoding="utf-8")
    assert old in content
    (tmp_path / "params.yaml").write_text(content.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ModelyardError) as raised:
        params.load(tmp_path / "params.yaml")
    assert told in str(raised.value)
