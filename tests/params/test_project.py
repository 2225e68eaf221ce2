"""Questions that the settings of params.yaml answer: data set, task, files of an experiment."""

from pathlib import Path

import pytest
from support.paths import PARAMS

from modelyard import params
from modelyard.params.project import Project


@pytest.fixture(scope="module")
def project() -> Project:
    return params.load(PARAMS)


def test_an_experiment_has_the_data_set_of_its_input(project: Project):
    assert project.dataset_of("boston_mlp_minmax") == "boston"
    assert project.unit_of("boston_mlp_minmax") == "1000 dollars"
    assert project.unit_of("digits_mlp") == ""


def test_an_autoencoder_has_the_task_reconstruction_whatever_its_data_set(project: Project):
    assert project.task_of("mnist_autoencoder") == "reconstruction"
    assert project.task_of("mnist_codes_classifier") == "classification"
    assert project.task_of("mnist_detector") == "detection"


def test_all_experiments_are_those_of_every_section(project: Project):
    assert {"mnist_cnn", "mnist_transfer", "cifar10_vgg16"} <= project.all_experiments.keys()
    assert len(project.all_experiments) == len(project.experiments) + len(project.transfers) + len(project.pretrained)


def test_files_of_a_data_set_have_a_mirror_and_a_public_address(project: Project):
    files = project.files_of("reuters", Path("/project"))
    assert files.addresses("reuters.npz") == [
        "/nowhere/datasets/reuters/reuters.npz",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/reuters.npz",
        "https://s3.amazonaws.com/text-datasets/reuters.npz",
    ]


def test_the_weights_of_a_backbone_have_a_mirror_and_a_public_address(project: Project):
    files = project.files_of("vgg16", Path("/project"))
    (name,) = files.sources
    mirrored, public = files.addresses(name)
    assert mirrored == f"/nowhere/datasets/keras-applications/{name}"
    assert public == f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{name}"
