"""Mistakes between the entries of params.yaml, claims.yaml and published.yaml, which the types alone cannot see."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from modelyard import models
from modelyard.core.config import Mistake, nearest, parse
from modelyard.core.errors import ModelyardError
from modelyard.data.samples import Task
from modelyard.metrics.definitions import history_metric, shown_metrics
from modelyard.models.engine.output_layer import check_loss
from modelyard.params.claim import ClaimSettings
from modelyard.params.project import (
    EXPERIMENT_SECTIONS,
    EstimatorExperiment,
    Name,
    NetworkExperiment,
    Project,
    PublishedValues,
    TransferExperiment,
)
from modelyard.params.study import study_mistakes
from modelyard.params.variants import resolve_sides


def load(path: Path = Path("params.yaml")) -> Project:
    """Read and check params.yaml.

    Raises:
        ModelyardError: all mistakes at once, each with its key and line.
    """
    return parse(Project, path, _mistakes_of_entries)


def load_published(project: Project, path: Path = Path("published.yaml")) -> dict[str, PublishedValues]:
    """Read and check what was published of a project's experiments; nothing where there is no such file.

    Raises:
        ModelyardError: all mistakes at once, each with its key and line.
    """
    if not path.exists():
        return {}
    return parse(dict[Name, PublishedValues], path, lambda published: _mistakes_of_published(project, published))


def load_claims(project: Project, path: Path = Path("claims.yaml")) -> dict[str, ClaimSettings]:
    """Read and check the claims about a project's experiments; none where there is no such file.

    Raises:
        ModelyardError: all mistakes at once, each with its key and line.
    """
    if not path.exists():
        return {}
    return parse(dict[Name, ClaimSettings], path, lambda claims: _mistakes_of_claims(project, claims))


def _mistakes_of_entries(project: Project) -> Iterator[Mistake]:
    for name, entry in project.inputs.items():
        if entry.dataset not in project.datasets:
            yield Mistake(("inputs", name, "dataset"), f"no such data set; {nearest(entry.dataset, project.datasets)}")
    for section in EXPERIMENT_SECTIONS:
        for name, experiment in getattr(project, section).items():
            yield from _mistakes_of_experiment(project, section, name, experiment)
    yield from _names_given_twice(project)
    for name, experiment in project.transfers.items():
        yield from _mistakes_of_backbone(project, name, experiment)
    for name, experiment in project.pretrained.items():
        if experiment.model.backbone not in project.backbones:
            advice = nearest(experiment.model.backbone, project.backbones)
            yield Mistake(("pretrained", name, "model", "backbone"), f"no such backbone; {advice}")
    for name in project.units.keys() - project.datasets.keys():
        yield Mistake(("units", name), f"no such data set; {nearest(name, project.datasets)}")
    for name, study in project.studies.items():
        for mistake in study_mistakes(study, project.experiments, project.inputs):
            yield mistake._replace(keys=("studies", name, *mistake.keys))


def _names_given_twice(project: Project) -> Iterator[Mistake]:
    groups = [EXPERIMENT_SECTIONS, ("datasets", "backbones")]  # each a folder of results, of raw files
    for first, second in (pair for sections in groups for pair in combinations(sections, 2)):
        for name in getattr(project, first).keys() & getattr(project, second).keys():
            yield Mistake((second, name), f"this name stands in `{first}` as well; give it another")


def _mistakes_of_published(project: Project, published: Mapping[str, PublishedValues]) -> Iterator[Mistake]:
    for name, entry in published.items():
        if name not in project.all_experiments:
            yield Mistake((name,), f"no such experiment; {nearest(name, project.all_experiments)}")
            continue
        shown = shown_metrics(project.task_of(name))
        for metric in entry.metrics.keys() - set(shown):
            yield Mistake((name, "metrics", metric), f"no such metric; {nearest(metric, shown)}")


def _mistakes_of_claims(project: Project, claims: Mapping[str, ClaimSettings]) -> Iterator[Mistake]:
    """Claims that name what is not there, or whose sides cannot be compared."""
    for name, claim in claims.items():
        try:
            sides = resolve_sides(project, claim)
            for side in sides:
                side.with_seed_offset(1, claim.splits)
        except ModelyardError as error:
            yield Mistake((name,), str(error))
            continue
        for side in sides:
            if claim.metric not in side.metrics:
                yield Mistake((name, "metric"), f"not measured on both sides; {nearest(claim.metric, side.metrics)}")
                break


def _mistakes_of_experiment(project: Project, section: str, name: str, experiment: Any) -> Iterator[Mistake]:
    if experiment.input not in project.inputs:
        yield Mistake((section, name, "input"), f"no such input; {nearest(experiment.input, project.inputs)}")
    elif project.inputs[experiment.input].dataset in project.datasets:
        yield from _mistakes_of_task(project, section, name, experiment)


def _mistakes_of_task(project: Project, section: str, name: str, experiment: Any) -> Iterator[Mistake]:
    entry, family = project.datasets[project.inputs[experiment.input].dataset], experiment.model.family
    task = models.task_of(family, entry.task)
    if task not in models.tasks_of(family):
        can = " or ".join(models.tasks_of(family))
        yield Mistake((section, name, "model", "family"), f"{family} is for {can}, this data set asks for {task}")
    elif not isinstance(experiment, EstimatorExperiment):
        yield from _mistakes_of_training((section, name, "training"), task, len(entry.classes), experiment.training)
    if isinstance(experiment, TransferExperiment) and experiment.training.checkpoint:
        yield Mistake((section, name, "training", "checkpoint"), "it would lack the backbone; leave it out")


def _mistakes_of_backbone(project: Project, name: str, experiment: TransferExperiment) -> Iterator[Mistake]:
    where, backbone = ("transfers", name, "model", "backbone"), experiment.model.backbone
    networks = [each for each, entry in project.experiments.items() if isinstance(entry, NetworkExperiment)]
    if backbone not in networks:
        yield Mistake(where, f"no such experiment with a network; {nearest(backbone, networks)}")
        return
    inputs = (project.experiments[backbone].input, experiment.input)
    if all(each in project.inputs and project.inputs[each].dataset in project.datasets for each in inputs):
        theirs, ours = (project.datasets[project.inputs[each].dataset].expect.shape for each in inputs)
        if theirs and ours and theirs != ours:
            yield Mistake(where, f"its network takes rows of shape {theirs}, this input has {ours}")


def _mistakes_of_training(
    where: tuple[str, ...], task: Task, classes: int, training: models.NetworkTraining
) -> Iterator[Mistake]:
    try:
        check_loss(task, classes, training.loss)
    except ModelyardError as error:
        yield Mistake((*where, "loss"), str(error))
    measured = ["val_loss", *(f"val_{each}" for each in [history_metric(task)] if each)]
    stopping = training.early_stopping
    watched = {("checkpoint",): training.checkpoint, ("early_stopping", "monitor"): stopping and stopping.monitor}
    for key, monitor in watched.items():
        if monitor not in (None, *measured):
            yield Mistake((*where, *key), f"not measured in a {task}; allowed: {', '.join(measured)}")
