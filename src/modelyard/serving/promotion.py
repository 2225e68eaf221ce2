"""Promotion: a candidate becomes the champion of its data set if it is significantly better than the present one.

The test is one of paired samples, over the candidate's test samples; each further comparison on these needs a clearer
difference (see serving.comparisons).
"""

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json
from modelyard.data import inputs
from modelyard.experiments import evaluate
from modelyard.experiments.evaluate import Evaluation
from modelyard.metrics.bootstrap import paired_difference
from modelyard.metrics.definitions import headline_metric
from modelyard.orchestration import dvc_lock
from modelyard.params.project import Project
from modelyard.params.results import evaluate_stage, train_stage
from modelyard.serving import engines, registry
from modelyard.serving.comparisons import Comparison, discordant_samples
from modelyard.serving.engines import ExperimentFiles, NoOnnx
from modelyard.serving.reference import ModelReference
from modelyard.serving.registry import CHALLENGER, CHAMPION, Version

RECORDED = (
    "experiment",
    "metric",
    "comparison",
    "gain",
    "gain_low",
    "gain_high",
    "over_seeds",
    "reason",
    "forced",
    registry.ROLLED_BACK,
)
HISTORY = Path("reports/promotions.json")
LEAKY_SCALING = "minmax_per_split"  # it scales test samples by their own range


@dataclass(frozen=True)
class Candidate:
    """An experiment's model as the pipeline built it, and the test samples that it was evaluated on.

    Attributes:
        experiment: its name in params.yaml.
        name: the registered model of which it becomes a version.
        folder: the folder of its model.
        model_md5: the MD5 of that folder.
        test: the folder of its test samples.
        test_md5: the MD5 of that folder without the slices, by which nothing is compared.
        contract: the folder of its input contract; None if the pipeline has built none yet.
        onnx: the folder of its converted model; None if there is none.
    """

    experiment: str
    name: str
    folder: Path
    model_md5: str
    test: Path
    test_md5: str
    contract: Path | None = None
    onnx: Path | None = None

    @cached_property
    def model(self) -> models.Model:
        """The model itself."""
        return models.load(self.folder)

    @cached_property
    def evaluation(self) -> Evaluation:
        """Its evaluation on its test samples."""
        return evaluate.evaluate(self.model, self.test)

    @property
    def metric(self) -> str:
        """The headline metric of its task; higher is better."""
        return headline_metric(self.model.description.task)

    @property
    def summary(self) -> str:
        """The headline metric with its interval."""
        low, high = self.evaluation.details["intervals"][self.metric]
        return f"{self.metric} {self.evaluation.metrics[self.metric]:.4g} ({low:.4g} to {high:.4g})"


@dataclass(frozen=True)
class PromotionDecision:
    """Whether a candidate becomes champion, and why.

    Attributes:
        wins: whether it becomes champion.
        reason: why, or why not.
        comparison: that with the champion, where the two can be compared.
        over_seeds: that of their experiments over seeds, if it was asked for.
        forced: the reason for making it champion regardless of the comparison; empty if it was not forced.
    """

    wins: bool
    reason: str
    comparison: Comparison | None = None
    over_seeds: "SeedComparison | None" = None
    forced: str = ""

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the model version that record the decision."""
        tags = {"reason": self.reason} | ({"forced": self.forced} if self.forced else {})
        if self.over_seeds:
            tags["over_seeds"] = self.over_seeds.text
        if self.comparison is None:
            return tags
        gain, (low, high) = self.comparison.difference.gain, self.comparison.interval
        measured = {"gain": f"{gain:.6g}", "gain_low": f"{low:.6g}", "gain_high": f"{high:.6g}"}
        counted = {registry.COMPARISON: f"{self.comparison.number}", registry.AGAINST: self.comparison.against}
        return tags | measured | counted


class SeedComparison(NamedTuple):
    """The experiments of candidate and champion over seeds: whether the candidate is better, and the numbers."""

    is_better: bool
    text: str


class Promotion(NamedTuple):
    """The result of a promotion: the version, its alias, the reason, and the champion before it."""

    version: Version
    alias: str
    reason: str
    before: Version | None


@dataclass
class TestSetHistory:
    """What test samples have decided: the number of comparisons, and the versions that were evaluated on them.

    A version is its `model`, its number `version`, and those of its tags that are RECORDED.
    """

    comparisons: int = 0
    versions: list[dict[str, str]] = field(default_factory=list)


_History = dict[str, TestSetHistory]
"""By MD5 of the test samples."""


def promote(
    project: Project,
    experiment: str,
    root: Path,
    force: str = "",
    card: str = "",
    over_seeds: SeedComparison | None = None,
) -> Promotion:
    """Register an experiment's model under the name of its data set: as champion if it wins, else as challenger.

    Args:
        project: params.yaml.
        experiment: a name in one of its sections of experiments.
        root: the folder of dvc.yaml.
        force: the reason to make it champion regardless of the comparison; none by default.
        card: the model's card in Markdown, for its description.
        over_seeds: a comparison with the champion's experiment that it has to win as well.

    Raises:
        ModelyardError: the experiment's files are missing or differ from what the pipeline built, the history of
            promotions is not readable, or the tracking store cannot be reached.
    """
    candidate, recorded = candidate_of(project, experiment, root), read_history(root)
    champion = registry.aliased(candidate.name, CHAMPION)
    if champion and _is_model_of(champion, candidate) and _has_samples_of(champion, candidate):
        champion = _with_files(champion, candidate)
        return Promotion(champion, CHAMPION, "It is the champion already, with the same files.", champion)
    decision = decide(candidate, champion, recorded.get(candidate.test_md5, TestSetHistory()).comparisons)
    group = project.inputs[project.all_experiments[experiment].input].split.group
    if group and decision.comparison:
        caveat = f"The samples of each {group} count as independent, which makes that too sure."
        decision = replace(decision, reason=f"{decision.reason} {caveat}")
    if over_seeds and decision.comparison:
        decision = _with_seeds(decision, over_seeds)
    if force:
        decision = replace(decision, wins=True, forced=force)
    tags = {"test_md5": candidate.test_md5, "metric": candidate.summary, **decision.tags}
    version = registry.register(candidate.name, experiment, candidate.model, candidate.folder, tags, card)
    version = _with_files(version, candidate)
    if decision.wins:
        registry.set_champion(version, replacing=champion)
    else:
        registry.set_challenger(version)
    return Promotion(version, CHAMPION if decision.wins else CHALLENGER, decision.reason, champion)


def candidate_of(project: Project, experiment: str, root: Path) -> Candidate:
    """An experiment's model and test samples, after checking them against dvc.lock."""
    section = project.section_of(experiment)
    folder = dvc_lock.verified_output(train_stage(section, experiment), "model", root)
    test = dvc_lock.verified_dependency(evaluate_stage(section, experiment), "test", root)
    files = engines.find(experiment, root)
    return Candidate(
        experiment=experiment,
        name=registered_name(project, experiment),
        folder=folder,
        model_md5=dvc_lock.md5(folder),
        test=test,
        test_md5=_samples_md5(test),
        contract=files.contract_folder(),
        onnx=_onnx_folder(files),
    )


def experiment_of(champion: Version, project: Project, root: Path) -> str:
    """The experiment of params.yaml that trains the champion again.

    Raises:
        ModelyardError: there is none: it is gone, or has given another model since.
    """
    name = champion.tags.get("experiment", "")
    if name in project.all_experiments:
        stage = train_stage(project.section_of(name), name)
        model = dvc_lock.verified_output(stage, "model", root) if dvc_lock.read(root, [stage]) else None
        if model and dvc_lock.md5(model) == champion.tags.get("model_md5"):
            return name
    raise ModelyardError(
        f"the champion, {champion}, cannot be trained with other seeds: params.yaml and dvc.lock do not have its "
        "experiment, or have another model of it. Leave out --seeds, or promote the present model of it first."
    )


def read_history(root: Path) -> _History:
    """Every promotion that the project has recorded; none without a file.

    Raises:
        ModelyardError: the file is something else.
    """
    if not (root / HISTORY).exists():
        return {}
    try:
        return TypeAdapter(_History).validate_python(read_json(root / HISTORY)["test_samples"])
    except (KeyError, TypeError, ValidationError):
        raise ModelyardError(
            f"{HISTORY} is not what `modelyard promote` writes, so the comparisons on each test set are not known. "
            f"Restore it (git checkout {HISTORY}), or delete it to count those of the tracking store alone."
        ) from None


def write_history(root: Path) -> None:
    """Add the promotions of the tracking store to those that the project has recorded.

    The store of a fresh clone is empty; what other stores have decided still counts. Their numbers of versions can be
    equal, so that a version is identified by its experiment and reason, too. A store that several projects share has
    versions of other test samples as well, which are left out.
    """
    found, versions = read_history(root), registry.history()
    own = found.keys() | _locked_samples(root)
    for version in versions:
        test = version.tags.get("test_md5")
        if test in own:
            recorded = found.setdefault(test, TestSetHistory())
            recorded.comparisons = max(recorded.comparisons, registry.comparisons_on(test, versions))
            tags = {name: version.tags[name] for name in RECORDED if name in version.tags}
            entry = {"model": version.name, "version": version.number} | tags
            others = [each for each in recorded.versions if _identity(each) != _identity(entry)]
            recorded.versions = [*others, entry]
    write_json(root / HISTORY, {"test_samples": {test: asdict(each) for test, each in found.items()}})


def _samples_md5(test: Path) -> str:
    return dvc_lock.md5(test, (inputs.SLICES,))


def _locked_samples(root: Path) -> set[str]:
    """The MD5s of what the stages read, and of test samples without their slices where the folder is here."""
    md5s = {path: md5 for stage in dvc_lock.read(root).values() for path, md5 in stage.deps.items()}
    sliced = [root / path for path in md5s if (root / path / inputs.SLICES).exists()]
    return {*md5s.values(), *map(_samples_md5, sliced)}


def _identity(entry: dict[str, str]) -> tuple[str | None, ...]:
    return tuple(entry.get(key) for key in ("model", "version", "experiment", "reason"))


def registered_name(project: Project, experiment: str) -> str:
    """The name of the data set, followed by the task if it is not the data set's own: `mnist-reconstruction`."""
    name, task = project.dataset_of(experiment), project.task_of(experiment)
    return name if task == project.datasets[name].task else f"{name}-{task}"


def decide(candidate: Candidate, champion: Version | None, recorded: int = 0) -> PromotionDecision:
    """Whether a candidate is significantly better than the champion on the candidate's test samples.

    `recorded`: how many comparisons these have decided, by the history of promotions.
    """
    if candidate.model.description.scaling == LEAKY_SCALING:
        reason = f"Its test samples were scaled by their own range ({LEAKY_SCALING})"
        return PromotionDecision(False, f"{reason}: its metrics do not hold for new samples.")
    if champion is None:
        return PromotionDecision(True, "There was no champion before it.")
    if not _has_samples_of(champion, candidate):
        if _is_model_of(champion, candidate):
            return PromotionDecision(True, "It is the champion already, and was evaluated on other test samples.")
        reason = f"The champion, {champion}, was evaluated on other test samples, and may have been trained on these."
        return PromotionDecision(False, reason)
    try:
        folder = registry.folder_of(champion)
    except ModelyardError as error:
        return PromotionDecision(False, f"The champion could not be evaluated: {error}")
    opponent = evaluate.evaluate(models.load(folder), candidate.test)
    old, new = (each.scored.bound_metrics[candidate.metric] for each in (opponent, candidate.evaluation))
    difference = paired_difference(candidate.metric, old, new)
    number = registry.comparison_number(candidate.test_md5, candidate.model_md5, champion, recorded)
    comparison = Comparison(difference, number, champion.number, discordant_samples(old, new))
    return PromotionDecision(comparison.is_significant, str(comparison), comparison)


def _is_model_of(champion: Version, candidate: Candidate) -> bool:
    return champion.tags.get("model_md5") == candidate.model_md5


def _has_samples_of(champion: Version, candidate: Candidate) -> bool:
    return champion.tags.get("test_md5") == candidate.test_md5


def _with_files(version: Version, candidate: Candidate) -> Version:
    """The version with its converted model, and what new samples are compared with, where the pipeline has them."""
    if candidate.onnx:
        version = registry.add_onnx(version, candidate.onnx)
    if candidate.contract is None:
        return version
    with TemporaryDirectory() as temporary:
        ModelReference.of(candidate.evaluation, candidate.contract).save(Path(temporary))
        return registry.add_reference(version, Path(temporary))


def _onnx_folder(files: ExperimentFiles) -> Path | None:
    try:
        return files.onnx_file().parent
    except NoOnnx:
        return None


def _with_seeds(decision: PromotionDecision, over_seeds: SeedComparison) -> PromotionDecision:
    """The decision on a candidate that has to be better over seeds, too."""
    wins = decision.wins and over_seeds.is_better
    return replace(decision, wins=wins, over_seeds=over_seeds, reason=f"{decision.reason} {over_seeds.text}")
