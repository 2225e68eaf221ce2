"""`modelyard promote` and `modelyard rollback`: set the champion of a data set."""

from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from modelyard import params
from modelyard.cli.interrupts import handle_termination_as_ctrl_c
from modelyard.core.errors import ModelyardError
from modelyard.core.keys import warn_of_keys
from modelyard.params.claim import ClaimSettings, Side
from modelyard.params.project import Project
from modelyard.params.study import SEED
from modelyard.reporting.model_cards import CardSources, model_card
from modelyard.serving import promotion, registry
from modelyard.serving.promotion import SeedComparison
from modelyard.serving.registry import CHALLENGER, CHAMPION

SHOWN_ROWS = 8  # of the long tables of a card: MLflow's descriptions are short


def promote(experiment: str, force: str | None, seeds: int | None) -> None:
    """Register an experiment's model, and print which alias it got and why.

    Raises:
        ModelyardError: see `promotion.promote`, `force` is an empty reason, or the experiments could not be trained
            with all seeds.
    """
    if force is not None and not force.strip():
        raise ModelyardError(
            "--force needs a reason, which is stored with the model: --force 'the old one is too slow'"
        )
    project = params.load()
    project.section_of(experiment)  # first of all, to refuse a wrong name
    promotion.read_history(Path.cwd())  # and a damaged history, before anything is trained
    over_seeds = _compare_over_seeds(project, experiment, seeds) if seeds else None
    card = _card(experiment)
    if warning := warn_of_keys(card, f"the card of {experiment}", "which is registered with the model"):
        Console().print(warning, markup=False, highlight=False, soft_wrap=True)
    done = promotion.promote(project, experiment, Path.cwd(), force or "", card, over_seeds)
    promotion.write_history(Path.cwd())
    name, before = done.version.name, escape(str(done.before))
    lines = [f"[bold]{name}@{done.alias}[/] is {escape(str(done.version))}.", escape(done.reason)]
    if "forced" in done.version.tags and done.version != done.before:
        lines.append(f"Forced: {escape(str(force))}")
    if done.alias == CHALLENGER:
        lines.append(
            f"{name}@{CHAMPION} is {before if done.before else 'none'}. To replace it in any case: --force REASON"
        )
    elif done.before and done.before != done.version:
        lines.append(f"It replaces {before}. To undo: modelyard rollback {name}")
    if registry.REFERENCE_MD5 not in done.version.tags:
        build = f"modelyard run {experiment}, then modelyard promote {experiment}"
        lines.append(f"Without an input contract, `modelyard check` cannot use it. To add one: {build}")
    _print(lines)


def roll_back(dataset: str) -> None:
    """Set the previous champion again, and print which that is."""
    promotion.read_history(Path.cwd())  # first of all, to refuse a damaged one
    former, replaced = registry.roll_back(dataset)
    promotion.write_history(Path.cwd())
    _print([f"[bold]{dataset}@{CHAMPION}[/] is {escape(str(former))} again; it replaces {escape(str(replaced))}."])


def _card(experiment: str) -> str:
    """The card of a model, without its title; nothing where a file that it needs is wrong, as the report then says."""
    with suppress(ModelyardError):
        return model_card(CardSources.read(Path.cwd()), experiment, SHOWN_ROWS).partition("\n")[2]
    return ""


def _compare_over_seeds(project: Project, experiment: str, seeds: int) -> SeedComparison | None:
    """Train the experiments of candidate and champion with the same seeds; None if there is no other champion.

    No seed is one that a search or its confirmation can have chosen the candidate by.

    Raises:
        ModelyardError: the champion cannot be trained again, or not all trainings have ended.
    """
    from modelyard.cli.replicate import runs_folder, train_all
    from modelyard.replication import paired_runs
    from modelyard.replication.claims import ALPHA
    from modelyard.replication.confirmation import SEEDS
    from modelyard.replication.paired_tests import p_value_above
    from modelyard.replication.seed_statistics import seed_statistics

    handle_termination_as_ctrl_c()
    candidate = promotion.candidate_of(project, experiment, Path.cwd())
    champion = registry.aliased(candidate.name, CHAMPION)
    if champion is None or champion.tags.get("model_md5") == candidate.model_md5:
        return None
    opponent = promotion.experiment_of(champion, project, Path.cwd())
    used = max(project.all_experiments[name].training.seed for name in (experiment, opponent)) + SEEDS
    claim = ClaimSettings(
        says="the candidate is better than the champion",
        first=Side(experiment=experiment),
        second=Side(experiment=opponent),
        changes={SEED: used + 1},
        metric=candidate.metric,
        direction="higher",
        smallest=1.0,  # not used: whether it is better is asked, not by how much
        seeds=seeds,
    )
    folder = runs_folder()
    if left := train_all(paired_runs.both_series(project, claim, None), folder, Console()):
        raise ModelyardError(f"{left} trainings over seeds are left; nothing was registered. Run again to continue.")
    pairs = paired_runs.paired_runs(project, claim, folder, None)
    if pairs.diverged:
        return SeedComparison(False, f"Over {seeds} seeds: {pairs.diverged} of them have no finite {candidate.metric}.")
    difference = seed_statistics(pairs.differences)
    if pairs.is_constant:
        text = f"Over {seeds} seeds: {candidate.metric} {difference.mean:+.3g} with each, and no metric varies."
        return SeedComparison(difference.mean > 0, f"{text} Only the comparison on the test samples counts.")
    p_value, level = float(p_value_above(pairs.differences, 0.0)), ALPHA / 2  # one-sided, as that on the test samples
    words = "significantly better" if p_value < level else "not significantly better"
    text = (
        f"{candidate.metric} {difference.text}: {words} (one-sided paired t test, p {p_value:.2g}, level {level:.3g})"
    )
    return SeedComparison(p_value < level, f"Over {seeds} seeds: {text}.")


def _print(lines: list[str]) -> None:
    console = Console()
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
