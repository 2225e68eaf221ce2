"""The sections of experiments: settings, metrics, last epoch, plots and build times."""

from pathlib import Path

import pytest
from support.pipelines import editing
from support.reports import Report, write_report

from modelyard.core.files import write_text
from modelyard.reporting.experiments import ExperimentSection


def section_of(report: Report, name: str) -> ExperimentSection:
    (section,) = (section for section in report.contents.experiments if section.row.experiment == name)
    return section


def test_a_section_has_all_that_is_known_of_an_experiment(report: Report) -> None:
    section = section_of(report, "boston_mlp")
    assert section.dataset == "boston"
    assert section.folder == "results/boston_mlp"
    assert section.settings["training.epochs"] == 100
    assert not section.settings.keys() & section.defaults.keys()
    assert section.measured.metrics["correlation"] == "0.85 (0.84 to 0.86)"
    assert section.last_epoch == {"epoch": 2, "loss": 1.25}
    assert section.seconds == {"train": 4.25, "evaluate": 90}
    assert section.model_md5 == "fedcba9876543210fedcba9876543210.dir"


def test_a_pretrained_experiment_is_read_from_its_own_folder_and_stages(report: Report) -> None:
    section = section_of(report, "cifar10_vgg16")
    assert section.folder == "pretrained/results/cifar10_vgg16"
    assert section.measured.metrics["accuracy"] == "0.9 (0.89 to 0.91)"
    assert section.last_epoch == {"epoch": 2, "loss": 1.25}
    assert [plot.file for plot in section.plots] == [
        "pretrained/results/cifar10_vgg16/figures/learning_curve.png",
        "pretrained/results/cifar10_vgg16/figures/confusion.png",
    ]
    assert section.seconds == {"train": 12, "evaluate": 3}
    assert section.model_md5 == "00112233445566778899aabbccddeeff.dir"
    assert "cifar10_vgg16 " in report.page.text
    assert "| cifar10_vgg16 |" in report.summary


def test_classes_have_a_column_for_each_value(report: Report) -> None:
    section = section_of(report, "digits_cnn")
    assert section.class_columns == ["rows", "precision", "recall", "f1"]
    assert len(section.measured.classes) == 10


def test_an_experiment_without_results_has_its_settings_alone(report: Report) -> None:
    section = section_of(report, "mnist_cnn")
    assert section.settings
    assert (section.measured.metrics, section.last_epoch, section.measured.classes, section.plots) == ({}, {}, {}, ())


@pytest.mark.parametrize(
    "columns, epoch, heading",
    [("val_loss", 2, "Best epoch, whose weights the model has"), ("val_mae", 3, "Best epoch, whose weights")],
)
def test_the_epoch_of_a_model_with_restored_weights_is_the_best_one(
    project: Path, columns: str, epoch: int, heading: str
) -> None:
    """As long as the history has the metric."""
    with editing(project / "params.yaml") as settings:
        settings["experiments"]["digits_cnn"]["training"]["early_stopping"] = {"patience": 5, "restore_best": True}
    write_text(project / "results" / "digits_cnn" / "history.csv", f"epoch,{columns}\n1,3.0\n2,1.0\n3,2.0\n")
    report = write_report(project, project / "reports" / "index.html")
    assert section_of(report, "digits_cnn").last_epoch["epoch"] == epoch
    assert heading in report.page.text


@pytest.mark.parametrize("content", ["", "epoch,loss\n"])
def test_a_history_without_epochs_has_no_last_epoch(project: Path, content: str) -> None:
    write_text(project / "results" / "boston_mlp" / "history.csv", content)
    report = write_report(project, project / "reports" / "index.html")
    assert section_of(report, "boston_mlp").last_epoch == {}
