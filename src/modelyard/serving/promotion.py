"""Which model of a data set is in use: a candidate replaces the champion if it is better by more than the noise."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.experiments import evaluate
from modelyard.experiments.evaluate import Evaluation
from modelyard.metrics.bootstrap import PairedDifference, paired_difference
from modelyard.metrics.definitions import headline_metric
from modelyard.orchestration import dvc_lock
from modelyard.params.project import Project
from modelyard.params.results import evaluate_stage, train_stage
from modelyard.serving import registry
from modelyard.serving.registry import CHALLENGER, CHAMPION, Version

LEAK = "minmax_per_split"


@dataclass(frozen=True)
class Candidate:
    """An experiment's model as the pipeline made it, and the rows that it was tested on."""

    experiment: str
    name: str
    folder: Path
    model_md5: str
    test: Path
    test_md5: str

    @cached_property
    def model(self) -> models.Model:
        """The model itself."""
        return models.load(self.folder)

    @cached_property
    def found(self) -> Evaluation:
        """What it is worth on its test rows."""
        return evaluate.evaluate(self.model, self.test)

    @property
    def metric(self) -> str:
        """The metric that stands for its task; more of it is better."""
        return headline_metric(self.model.description.task)

    @property
    def figure(self) -> str:
        """That metric on the test rows, with its interval."""
        low, high = self.found.details["intervals"][self.metric]
        return f"{self.metric} {self.found.metrics[self.metric]:.4g} ({low:.4g} to {high:.4g})"


@dataclass(frozen=True)
class Verdict:
    """Whether a candidate becomes champion, and why; with the difference from the champion where there is one."""

    wins: bool
    reason: str
    difference: PairedDifference | None = None
    forced: str = ""

    @property
    def tags(self) -> dict[str, str]:
        """What is kept of it with the version."""
        tags = {"reason": self.reason} | ({"forced": self.forced} if self.forced else {})
        if self.difference is None:
            return tags
        gain, (low, high) = self.difference.gain, self.difference.interval
        return tags | {"gain": f"{gain:.6g}", "gain_low": f"{low:.6g}", "gain_high": f"{high:.6g}"}


class Promotion(NamedTuple):
    """What became of a candidate: its version and alias, why, and the champion that was there before."""

    version: Version
    alias: str
    reason: str
    before: Version | None


def promote(project: Project, experiment: str, root: Path, force: str = "") -> Promotion:
    """Register an experiment's model under its data set's name: as champion, if it wins, else as challenger.

    Args:
        project: params.yaml.
        experiment: a name in one of its sections of experiments.
        root: the folder of dvc.yaml.
        force: the reason to make it champion whatever the test rows say; none by default.

    Raises:
        ModelyardError: the experiment's files are missing, or not what the pipeline made; or the store cannot be had.
    """
    candidate = candidate_of(project, experiment, root)
    champion = registry.aliased(candidate.name, CHAMPION)
    if champion and champion.tags.get("model_md5") == candidate.model_md5:
        return Promotion(champion, CHAMPION, "It was champion before, with the same files.", champion)
    verdict = judge(candidate, champion)
    if force:
        verdict = replace(verdict, wins=True, forced=force)
    tags = {"test_md5": candidate.test_md5, "figure": candidate.figure, **verdict.tags}
    version = registry.register(candidate.name, experiment, candidate.model, candidate.folder, tags)
    if verdict.wins:
        registry.crown(version, instead_of=champion)
    else:
        registry.challenge(version)
    return Promotion(version, CHAMPION if verdict.wins else CHALLENGER, verdict.reason, champion)


def candidate_of(project: Project, experiment: str, root: Path) -> Candidate:
    """An experiment's model and test rows, after a look that they are what DVC locked."""
    section = project.section_of(experiment)
    folder = dvc_lock.verified_output(train_stage(section, experiment), "model", root)
    test = dvc_lock.verified_dependency(evaluate_stage(section, experiment), "test", root)
    return Candidate(
        experiment=experiment,
        name=registered_name(project, experiment),
        folder=folder,
        model_md5=dvc_lock.md5(folder),
        test=test,
        test_md5=dvc_lock.md5(test),
    )


def registered_name(project: Project, experiment: str) -> str:
    """The data set's name, with the task after it where that is not the data set's own: `mnist-reconstruction`."""
    name, task = project.dataset_of(experiment), project.task_of(experiment)
    return name if task == project.datasets[name].task else f"{name}-{task}"


def judge(candidate: Candidate, champion: Version | None) -> Verdict:
    """Whether a candidate is better than the champion on the candidate's test rows by more than the noise."""
    if candidate.model.description.scaling == LEAK:
        return Verdict(False, f"Its test rows were scaled by their own range ({LEAK}): its figure holds for no others.")
    if champion is None:
        return Verdict(True, "The first one wins unopposed.")
    if champion.tags.get("test_md5") != candidate.test_md5:
        told = f"The champion, {champion}, was tested on other rows, and may have learnt from some of these."
        return Verdict(False, told)
    try:
        folder = registry.folder_of(champion)
    except ModelyardError as error:
        return Verdict(False, f"The champion could not be asked: {error}")
    opposed = evaluate.evaluate(models.load(folder), candidate.test)
    old, new = (each.judgement.measures[candidate.metric] for each in (opposed, candidate.found))
    return _weigh(paired_difference(candidate.metric, old, new))


def _weigh(found: PairedDifference) -> Verdict:
    return Verdict(found.is_significant, f"{found}: {found.conclusion}.", found)
