"""Reads params.yaml, claims.yaml and published.yaml, and checks what the types alone cannot: that entries fit together.

Each check yields `Mistake`s, so that one message lists all of them with their keys and lines.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path, PurePosixPath

from modelyard import models
from modelyard.core.config import Mistake, parse, suggest
from modelyard.core.errors import ModelyardError
from modelyard.data.decision_threshold import check_threshold
from modelyard.data.inputs import InputSettings
from modelyard.data.readers import AnyDataset
from modelyard.data.samples import TARGET_KINDS, Task
from modelyard.data.splits import Split, check_task
from modelyard.metrics.definitions import history_metric, metric_names, shown_metrics
from modelyard.models.engine.class_weights import check_class_weights
from modelyard.models.engine.tasks import check_loss
from modelyard.params.claim import Claims
from modelyard.params.project import (
    EXPERIMENT_SECTIONS,
    AnyExperiment,
    EstimatorExperiment,
    NetworkExperiment,
    Project,
    Published,
    TransferExperiment,
)
from modelyard.params.study import PARAMETERS, StudySettings, missing_baseline, study_mistakes
from modelyard.params.variants import ResolvedExperiment, resolve_sides

SHARED_FOLDERS = (EXPERIMENT_SECTIONS, ("datasets", "backbones"))
"""Sections whose entries share a parent folder, of results or of raw files: a name must be unique among them."""

ONLY_TRAINING = {"first": None, "validation": 0.0, "validation_samples": "last", "validation_seed": None}
"""Settings of a split that change no test samples, and one value for each."""

NEEDED_BY_DVC = {
    "runtime": "the defaults",
    "transfers": "none",
    "backbones": "none",
    "pretrained": "none",
    "studies": "none",
    "batches": "none",
}
"""Sections that have a default here and yet must be written: a dvc.yaml names them, and DVC knows no default."""


def load(path: Path = Path("params.yaml")) -> Project:
    """Read and check params.yaml.

    Raises:
        ModelyardError: all mistakes at once, each with its key and line.
    """
    return parse(Project, path, _project_mistakes)


def check_search_spaces(project: Project, names: Iterable[str], path: Path = Path("params.yaml")) -> None:
    """Refuse studies whose search space lacks a value of their experiment, which is their first trial.

    `load` accepts them: an edit of the experiment, such as that of one `dvc exp run`, must not need one of the study.

    Raises:
        ModelyardError: all missing values at once, each with its key and line.
    """
    mistakes = [
        mistake._replace(keys=("studies", name, *mistake.keys))
        for name in names
        for mistake in missing_baseline(project.studies[name], project.experiments[project.studies[name].experiment])
    ]
    if mistakes:
        parse(Project, path, lambda _: mistakes)


def _batch_mistakes(project: Project) -> Iterator[Mistake]:
    experiments, outputs = project.experiments | project.transfers, dict[str, str]()
    for name, batch in project.batches.items():
        if batch.experiment not in experiments:
            reason = f"no such entry of experiments or transfers; {suggest(batch.experiment, experiments)}"
            yield Mistake(("batches", name, "experiment"), reason)
        if PurePosixPath(batch.output).is_relative_to(batch.data):
            reason = f"it lies in `data`, {batch.data}, and would be predicted too; name a file outside of it"
            yield Mistake(("batches", name, "output"), reason)
        if other := outputs.get(batch.output):
            yield Mistake(("batches", name, "output"), f"{other} writes it too; give each batch a file of its own")
        outputs[batch.output] = name


def load_published(project: Project, path: Path = Path("published.yaml")) -> Published:
    """Read and check the published values of a project's experiments, none where the file is missing.

    Raises:
        ModelyardError: all mistakes at once, each with its key and line.
    """
    if not path.exists():
        return {}
    return parse(Published, path, lambda published: _published_mistakes(project, published))


def load_claims(project: Project, path: Path = Path("claims.yaml")) -> Claims:
    """Read and check the claims about a project's experiments, none where the file is missing.

    Raises:
        ModelyardError: all mistakes at once, each with its key and line.
    """
    if not path.exists():
        return {}
    return parse(Claims, path, lambda claims: _claim_mistakes(project, claims))


def _project_mistakes(project: Project) -> Iterator[Mistake]:
    for section, meaning in NEEDED_BY_DVC.items():
        if section not in project.model_fields_set:
            yield Mistake(
                (section,), f"this section is missing, and dvc.yaml needs it; for {meaning}, write `{section}: {{}}`"
            )
    for name, settings in project.inputs.items():
        if settings.dataset not in project.datasets:
            reason = f"no such data set; {suggest(settings.dataset, project.datasets)}"
            yield Mistake(("inputs", name, "dataset"), reason)
            continue
        task = project.datasets[settings.dataset].task
        try:
            check_task(settings.split, task)
        except ModelyardError as error:
            yield Mistake(("inputs", name, "split", "stratify"), str(error))
        if settings.target_scaling != "none" and TARGET_KINDS[task] != "number":
            reason = f"only the targets of a regression are scaled, this data set asks for {task}; leave it out"
            yield Mistake(("inputs", name, "target_scaling"), reason)
    for section in EXPERIMENT_SECTIONS:
        for name, experiment in getattr(project, section).items():
            yield from _experiment_mistakes((section, name), experiment, project)
    yield from _repeated_names(project)
    yield from _batch_mistakes(project)
    for name, experiment in project.transfers.items():
        yield from _transfer_mistakes(("transfers", name, "model", "backbone"), experiment, project)
    for name, experiment in project.pretrained.items():
        if experiment.model.family == "decoded":
            reason = (
                "pretrained networks have no decoder: put it under `transfers`, with an autoencoder as its backbone"
            )
            yield Mistake(("pretrained", name, "model", "family"), reason)
        backbone = experiment.model.backbone
        if backbone not in project.backbones:
            reason = f"no such backbone; {suggest(backbone, project.backbones)}"
            yield Mistake(("pretrained", name, "model", "backbone"), reason)
    for name in project.units:
        if name not in project.datasets:
            yield Mistake(("units", name), f"no such data set; {suggest(name, project.datasets)}")
    for name, study in project.studies.items():
        for mistake in study_mistakes(study, project.experiments, project.inputs):
            yield mistake._replace(keys=("studies", name, *mistake.keys))
        yield from _study_metric_mistakes(("studies", name, "metrics"), study, project)
        if study.warm_start and study.warm_start not in project.studies:
            reason = f"no such study; {suggest(study.warm_start, project.studies)}"
            yield Mistake(("studies", name, "warm_start"), reason)


def _study_metric_mistakes(keys: tuple[str, ...], study: StudySettings, project: Project) -> Iterator[Mistake]:
    experiment = project.experiments.get(study.experiment)
    if not study.metrics or experiment is None or _dataset_of(experiment, project) is None:
        return
    allowed = (history_metric(project.task_of(study.experiment)) or "loss", PARAMETERS)
    if study.metrics != allowed:
        yield Mistake(keys, f"allowed: [{', '.join(allowed)}]; or leave it out, to search by the {allowed[0]} alone")
    elif isinstance(experiment, EstimatorExperiment):
        yield Mistake(keys, f"only networks have a number of parameters, not {experiment.model.family}; leave it out")


def _published_mistakes(project: Project, published: Published) -> Iterator[Mistake]:
    for name, entry in published.items():
        if name not in project.all_experiments:
            yield Mistake((name,), f"no such experiment; {suggest(name, project.all_experiments)}")
            continue
        task, classes = project.task_of(name), project.datasets[project.dataset_of(name)].classes
        known = shown_metrics(task, metric_names(task, len(classes)))
        for metric in entry.metrics:
            if metric not in known:
                yield Mistake((name, "metrics", metric), f"no such metric; {suggest(metric, known)}")


def _claim_mistakes(project: Project, claims: Claims) -> Iterator[Mistake]:
    for name, claim in claims.items():
        try:
            sides = resolve_sides(project, claim)
            for side in sides:
                side.with_seed_offset(1, claim.splits)
        except ModelyardError as error:
            yield Mistake((name,), str(error))
            continue
        if sides[0] == sides[1]:
            yield Mistake((name,), "first and second have equal settings, `changes` included; change one of them")
        if sides[0].seed != sides[1].seed:
            reason = f"the sides have training.seed {sides[0].seed} and {sides[1].seed}: runs are paired by their seed"
            yield Mistake((name,), f"{reason}; give both the same one, by `changes` for example")
        yield from _comparison_mistakes(name, *sides)
        if claim.crossed:
            yield from _crossed_mistakes(name, *sides)
        for side in sides:
            if claim.metric not in side.metrics:
                yield Mistake((name, "metric"), f"not measured on both sides; {suggest(claim.metric, side.metrics)}")
                break


def _comparison_mistakes(name: str, first: ResolvedExperiment, second: ResolvedExperiment) -> Iterator[Mistake]:
    """Sides whose metrics cannot be compared, and backbones that have seen the test samples."""
    if first.task != second.task:
        reason = f"first is a {first.task}, second a {second.task}: their metrics cannot be compared"
        yield Mistake((name,), reason)
    if _are_split_differently(first.input, second.input):
        reason = "the sides have other test samples of the same data set: give both an equal split, apart from"
        yield Mistake((name,), f"{reason} validation samples, by `changes` of both for example")
    for side in (first, second):
        if side.backbone is None:
            continue
        if not isinstance(side.backbone.experiment, NetworkExperiment):
            yield Mistake((name,), "model.backbone: no experiment with a network")
        elif _are_split_differently(side.input, side.backbone.input):
            reason = "the backbone is trained on test samples of the transfer: change its split, too (`backbone.split`)"
            yield Mistake((name,), reason)


def _are_split_differently(one: InputSettings, other: InputSettings) -> bool:
    """Whether test samples of the one may be training samples of the other."""
    return one.dataset == other.dataset and _test_split(one.split) != _test_split(other.split)


def _crossed_mistakes(name: str, first: ResolvedExperiment, second: ResolvedExperiment) -> Iterator[Mistake]:
    """Sides whose predictions cannot be paired by test sample."""
    if "boxes" in (TARGET_KINDS[first.task], TARGET_KINDS[second.task]):
        yield Mistake((name, "crossed"), "a detection has boxes, not a prediction for each test sample; leave it out")
    if (first.input.dataset, first.dataset) != (second.input.dataset, second.dataset):
        yield Mistake((name, "crossed"), "both sides need the same test samples, and so the same data set")
    if group := first.input.split.group:
        reason = f"it resamples single test samples, and the input splits by {group}, whose samples may be alike"
        yield Mistake((name, "crossed"), f"{reason}; leave it out")


def _test_split(split: Split) -> str:
    """The settings that decide which samples are for testing, as text."""
    return split.model_copy(update=ONLY_TRAINING).model_dump_json()


def _repeated_names(project: Project) -> Iterator[Mistake]:
    for sections in SHARED_FOLDERS:
        for first, second in combinations(sections, 2):
            for name in getattr(project, first):
                if name in getattr(project, second):
                    yield Mistake((second, name), f"this name stands in `{first}` as well; give it another")


def _experiment_mistakes(keys: tuple[str, ...], experiment: AnyExperiment, project: Project) -> Iterator[Mistake]:
    """Mistakes of an experiment of any section; `keys` lead to it."""
    if experiment.input not in project.inputs:
        yield Mistake((*keys, "input"), f"no such input; {suggest(experiment.input, project.inputs)}")
        return
    dataset = project.datasets.get(project.inputs[experiment.input].dataset)
    if dataset is None:  # reported as a mistake of the input
        return
    evaluation = None if isinstance(experiment, TransferExperiment) else experiment.evaluate
    if evaluation and evaluation.repeats > 1 and project.inputs[experiment.input].split.time:
        reason = f"input {experiment.input} is split in time, so each repeat would have the same folds: leave it out"
        yield Mistake((*keys, "evaluate", "repeats"), reason)
    family = experiment.model.family
    task, possible = models.task_of(family, dataset.task), models.tasks_of(family)
    if task not in possible:
        reason = f"{family} is for {' or '.join(possible)}, this data set asks for {task}"
        yield Mistake((*keys, "model", "family"), reason)
    elif not isinstance(experiment, EstimatorExperiment):
        yield from _training_mistakes((*keys, "training"), task, experiment, project)
    try:
        check_class_weights(experiment.training, task)
    except ModelyardError as error:
        yield Mistake((*keys, "training", "class_weights"), str(error))
    if experiment.training.threshold:
        try:
            check_threshold(task, len(dataset.classes), project.inputs[experiment.input].split.validation)
        except ModelyardError as error:
            yield Mistake((*keys, "training", "threshold"), str(error))
    if isinstance(experiment, TransferExperiment) and experiment.training.checkpoint:
        reason = "a checkpoint of a transfer would lack the backbone; leave it out"
        yield Mistake((*keys, "training", "checkpoint"), reason)
    stopping = getattr(experiment.training, "early_stopping", None)
    if stopping and stopping.restore_best and getattr(experiment.model, "fine_tuning", None):
        reason = "each of the two trainings of fine_tuning has a best epoch; leave it out"
        yield Mistake((*keys, "training", "early_stopping", "restore_best"), reason)


def _training_mistakes(
    keys: tuple[str, ...], task: Task, experiment: NetworkExperiment | TransferExperiment, project: Project
) -> Iterator[Mistake]:
    """A loss that does not fit the task, what is monitored and not measured, and an augmentation of no images."""
    training, settings = experiment.training, project.inputs[experiment.input]
    try:
        check_loss(task, len(project.datasets[settings.dataset].classes), training.loss)
    except ModelyardError as error:
        yield Mistake((*keys, "loss"), str(error))
    metric = history_metric(task)
    measured = ["val_loss", f"val_{metric}"] if metric else ["val_loss"]
    for key, monitor in training.monitors.items():
        if monitor not in measured:
            yield Mistake((*keys, *key.split(".")), f"not measured in a {task}; allowed: {', '.join(measured)}")
    if training.needs_validation and not settings.split.validation:
        reason = f"it needs validation samples: give input {experiment.input} a `split.validation`, such as 0.1"
        yield Mistake((*keys, training.needs_validation[0]), reason)
    if training.augmentation:
        yield from _augmentation_mistakes((*keys, "augmentation"), task, experiment, project)


def _augmentation_mistakes(
    keys: tuple[str, ...], task: Task, experiment: NetworkExperiment | TransferExperiment, project: Project
) -> Iterator[Mistake]:
    shape = _sample_shape(experiment, project)
    if isinstance(experiment, TransferExperiment):
        yield Mistake(keys, "a transfer computes what its backbone makes of each image once; leave it out")
    elif TARGET_KINDS[task] not in ("class", "number"):
        yield Mistake(keys, f"it changes images and not the targets of a {task}; leave it out")
    elif shape and len(shape) != 3:
        yield Mistake(keys, f"it is for images, and this data set has samples of shape {shape}; leave it out")


def _transfer_mistakes(keys: tuple[str, ...], transfer: TransferExperiment, project: Project) -> Iterator[Mistake]:
    """A backbone that is no network of `experiments`, or takes samples of another shape; `keys` lead to its name."""
    networks = {name: entry for name, entry in project.experiments.items() if isinstance(entry, NetworkExperiment)}
    backbone = networks.get(transfer.model.backbone)
    if backbone is None:
        yield Mistake(keys, f"no such experiment with a network; {suggest(transfer.model.backbone, networks)}")
        return
    if transfer.model.family == "decoded" and backbone.model.family != "autoencoder":
        yield Mistake(keys, f"decoded samples come from an autoencoder, and this is a {backbone.model.family}")
    theirs, ours = _sample_shape(backbone, project), _sample_shape(transfer, project)
    if theirs and ours and theirs != ours:
        yield Mistake(keys, f"its network takes samples of shape {theirs}, this input has {ours}")
    inputs = [project.inputs[each.input] for each in (backbone, transfer) if each.input in project.inputs]
    if len(inputs) == 2 and _are_split_differently(*inputs):
        yield Mistake(
            keys,
            "it was trained on samples that are test samples here: the inputs of both need an equal split, apart from "
            "validation samples",
        )


def _sample_shape(experiment: AnyExperiment, project: Project) -> tuple[int, ...] | None:
    """The expected shape of one sample, None where it is not stated or the input or data set does not exist."""
    dataset = _dataset_of(experiment, project)
    return dataset.expect.shape if dataset else None


def _dataset_of(experiment: AnyExperiment, project: Project) -> AnyDataset | None:
    """The data set of an experiment, None where its input or data set does not exist."""
    settings = project.inputs.get(experiment.input)
    return project.datasets.get(settings.dataset) if settings else None
