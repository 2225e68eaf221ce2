"""An experiment with changed settings and seeds."""

from dataclasses import replace

import pytest
from support.paths import PARAMS

from modelyard import params
from modelyard.core.config import with_changes
from modelyard.core.errors import ModelyardError
from modelyard.params.project import Project
from modelyard.params.variants import digest, resolve


@pytest.fixture(scope="module")
def project() -> Project:
    return params.load(PARAMS)


def test_without_changes_an_experiment_is_that_of_the_file(project: Project):
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


def test_changes_of_a_data_set_change_how_its_files_are_read(project: Project):
    changes = {"dataset.num_words": 5000, "dataset.expect.range": (0, 4999), "model.vocabulary_size": 5000}
    resolved = resolve(project, "reuters_rnn", changes)
    assert (resolved.dataset.num_words, resolved.dataset.expect.range) == (5000, (0, 4999))
    assert resolved.dataset.files == project.datasets["reuters"].files
    assert resolved.to_dict() != resolve(project, "reuters_rnn", {"model.vocabulary_size": 5000}).to_dict()


def test_changes_of_a_backbone_are_of_the_network_that_a_transfer_starts_from(project: Project):
    resolved = resolve(project, "mnist_transfer", {"backbone.training.epochs": 1, "training.epochs": 2})
    assert resolved.backbone.experiment.training.epochs == 1
    assert resolved.experiment.training.epochs == 2
    assert [each.input.dataset for each in resolved.self_and_backbones()] == ["mnist", "fashion_mnist"]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("boston_mpl", {}, "no such experiment: boston_mpl; did you mean boston_mlp?"),
        ("boston_mlp", {"modle.units": ()}, "changes.modle.units: did you mean model?"),
        ("boston_mlp", {"model.unts": ()}, "did you mean units?"),
        ("boston_mlp", {"dataset": "diabetes"}, "changes.dataset: did you mean dataset.*?"),
        ("reuters_rnn", {"dataset.num_word": 100}, "did you mean num_words?"),
        ("reuters_rnn", {"dataset.num_words": 1}, "greater than or equal to 10"),
        ("reuters_rnn", {"dataset.files": {}}, "changes.dataset.files: the raw files stay those of the data set"),
        ("reuters_rnn", {"dataset.reader": "table"}, "changes.dataset.reader: the raw files stay"),
        ("boston_mlp", {"training.epochs": 0}, "greater than or equal to 1"),
        ("boston_mlp", {"training.epochs": "50"}, "valid integer"),
        ("boston_mlp", {"input": "bostn"}, "no such input: bostn; did you mean boston?"),
        ("boston_mlp", {"backbone.training.epochs": 1}, "starts from no other experiment"),
        ("boston_mlp", {"training.loss": "categorical_crossentropy"}, "does not fit a regression"),
        ("boston_mlp", {"training.early_stopping.patience": 3}, "there is no such setting to change"),
        ("cifar10_vgg16", {}, "starts from pretrained weights"),
    ],
)
def test_a_wrong_change_is_refused(project: Project, name: str, changes: dict, message: str):
    with pytest.raises(ModelyardError) as raised:
        resolve(project, name, changes)
    assert message in str(raised.value)


def test_a_seed_offset_changes_the_training_seeds_and_nothing_else(project: Project):
    resolved = resolve(project, "mnist_transfer", {})
    later = resolved.with_seed_offset(3, splits=False)
    assert (later.seed, later.backbone.seed) == (780, 780)
    assert later.input == resolved.input
    assert later.with_seed_offset(-3, splits=False) == resolved == resolved.with_seed_offset(0, splits=False)


def test_a_seed_offset_changes_the_split_seeds_where_asked_for(project: Project):
    resolved = resolve(project, "digits_mlp", {})
    assert resolved.with_seed_offset(2, splits=True).input.split.test_seed == 779
    assert resolved.with_seed_offset(2, splits=False).input.split.test_seed == 777


def test_test_samples_that_the_data_set_brings_cannot_be_resampled(project: Project):
    with pytest.raises(ModelyardError, match="not drawn at random"):
        resolve(project, "mnist_mlp", {}).with_seed_offset(1, splits=True)


@pytest.mark.parametrize("rule", [{"split.stratify": True}, {"split.group": "writer"}])
def test_splits_by_class_or_group_are_drawn_again(project: Project, rule: dict):
    resolved = resolve(project, "digits_mlp", rule).with_seed_offset(2, splits=True)
    assert (resolved.input.split.test_seed, resolved.input.split.by) == (
        779,
        resolve(project, "digits_mlp", rule).input.split.by,
    )


def test_a_split_in_time_cannot_be_drawn_again(project: Project):
    in_time = resolve(project, "digits_mlp", {"split.time": "day", "split.test_seed": None})
    assert in_time.with_seed_offset(2, splits=False).input == in_time.input
    with pytest.raises(ModelyardError, match=r"are the last in time \(split\.time: day\), and no seed draws others"):
        in_time.with_seed_offset(2, splits=True)


def test_a_stratified_regression_is_refused(project: Project):
    with pytest.raises(ModelyardError, match="`stratify` is for classifications, and this data set is for regression"):
        resolve(project, "boston_mlp", {"split.stratify": True})


def test_the_digest_depends_on_every_setting_but_those_for_display(project: Project):
    resolved = resolve(project, "boston_mlp", {})
    same = resolve(project, "boston_mlp", {"training.epochs": 100})
    other = resolve(project, "boston_mlp", {"training.epochs": 99})
    assert digest(resolved.to_dict()) == digest(same.to_dict()) != digest(other.to_dict())
    described = replace(resolved, dataset=with_changes(resolved.dataset, {"description": "Something else."}))
    assert digest(described.to_dict()) == digest(resolved.to_dict())


def test_the_digest_does_not_depend_on_the_evaluation_by_folds(project: Project):
    resolved = resolve(project, "boston_mlp", {})
    evaluated = with_changes(resolved.experiment, {"evaluate": {"folds": 5}})
    assert digest(replace(resolved, experiment=evaluated).to_dict()) == digest(resolved.to_dict())


def test_the_digest_does_not_depend_on_slices(project: Project):
    resolved = resolve(project, "boston_mlp", {})
    sliced = with_changes(resolved.input, {"slices": ("rooms",)})
    assert digest(replace(resolved, input=sliced).to_dict()) == digest(resolved.to_dict())


def test_the_metrics_depend_on_the_task_and_on_validation_samples(project: Project):
    assert resolve(project, "boston_mlp", {}).metrics == ("correlation", "mae", "mse", "r2", "loss")
    assert "balanced_accuracy" in resolve(project, "digits_cnn", {}).metrics
    assert "roc_auc" in resolve(project, "xor_mlp", {}).metrics
    assert "roc_auc" not in resolve(project, "digits_cnn", {}).metrics
    on_validation = ("val_loss", "val_accuracy", "gap")
    of_classes = ("accuracy", "macro_f1", "loss", "balanced_accuracy")
    assert resolve(project, "digits_mlp", {}).metrics == (*of_classes, *on_validation)
