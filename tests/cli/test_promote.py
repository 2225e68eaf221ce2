"""`modelyard promote`, `modelyard rollback`, and `modelyard predict` with a registered model."""

from pathlib import Path

import pytest
from support.built_experiments import PARAMS, build_experiment, fit_model, line_samples
from support.commands import modelyard

from modelyard.cli import replicate
from modelyard.cli.interrupts import INTERRUPTED
from modelyard.core.files import read_json, write_json


@pytest.fixture
def project(tracked_project: Path) -> Path:
    """Two experiments, built."""
    (tracked_project / "params.yaml").write_text(PARAMS)
    for name, family in (("mean", "baseline"), ("fit", "linear")):
        build_experiment(
            name,
            fit_model(family, line_samples(100), features=("a", "b", "c")),
            line_samples(50, seed=1),
            "line",
            tracked_project,
        )
    return tracked_project


def test_from_the_first_champion_to_the_next_and_back(project: Path) -> None:
    first = modelyard("promote", "mean")
    said, before, contract = first.output.splitlines()
    assert (said, before) == ("line@champion is version 1 (mean).", "There was no champion before it.")
    assert contract.startswith(
        "Without an input contract, `modelyard check` cannot use it. To add one: modelyard run mean"
    )

    second = modelyard("promote", "fit").output
    assert "line@champion is version 2 (fit)." in second
    assert "significantly better (95 % paired bootstrap)" in second
    assert "It replaces version 1 (mean). To undo: modelyard rollback line" in second

    third = modelyard("promote", "mean")
    assert third.exit_code == 0
    assert "line@challenger is version 3 (mean)." in third.output
    assert "significantly worse (98.33 % paired bootstrap; comparison 2 on these test samples)" in third.output
    assert "line@champion is version 2 (fit). To replace it in any case: --force REASON" in third.output

    back = modelyard("rollback", "line")
    assert back.output == "line@champion is version 1 (mean) again; it replaces version 2 (fit).\n"
    (recorded,) = read_json(project / "reports" / "promotions.json")["test_samples"].values()
    rolled_back = {each["version"]: each.get("rolled_back") for each in recorded["versions"]}
    assert rolled_back == {"1": None, "2": "to version 1", "3": None}

    forced = modelyard("promote", "fit", "--force", "the mean is no model").output
    assert "line@champion is version 4 (fit)." in forced
    assert "Forced: the mean is no model" in forced
    assert "Forced" not in modelyard("promote", "fit", "--force", "once more").output


def test_what_looks_like_a_key_in_the_card_is_a_warning(project: Path) -> None:
    assert "looks like a key" not in modelyard("promote", "mean").output
    (project / "params.yaml").write_text(PARAMS.replace("some noise", "postgresql://bob:Geheim" + "12345@db/line"))
    said = modelyard("promote", "fit").output
    assert "warning: the card of fit, which is registered with the model, has what looks like a key (line" in said
    assert "Geheim" not in said


@pytest.mark.parametrize("group", ["Patient [id]", "load [/m²]"])
def test_a_reason_is_printed_as_it_is(group: str, project: Path) -> None:
    modelyard("promote", "mean")
    (project / "params.yaml").write_text(PARAMS.replace("test_seed: 1}", f'test_seed: 1, group: "{group}"}}'))
    result = modelyard("promote", "fit")
    assert result.exit_code == 0, result.output
    assert f"The samples of each {group} count as independent" in result.output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("promote", "fitt"), "no such experiment: fitt; did you mean fit?"),
        (("promote", "fit", "--force", "  "), "--force needs a reason"),
        (("rollback", "lime"), "no registered model 'lime'"),
    ],
)
def test_a_mistake_is_refused_and_registers_nothing(arguments: tuple[str, ...], message: str, project: Path) -> None:
    result = modelyard(*arguments)
    assert result.exit_code == 1
    assert f"error: {message}" in result.output
    assert "allowed: nothing yet" in modelyard("rollback", "line").output


def test_an_experiment_that_was_never_built_is_refused_with_the_command_that_builds_it(project: Path) -> None:
    (project / "dvc.lock").unlink()
    result = modelyard("promote", "fit")
    assert result.exit_code == 1
    assert "it was never built. Run: modelyard run fit" in result.output


def test_predict_uses_the_champion(project: Path) -> None:
    table = project / "points.csv"
    table.write_text("a,b,c\n0,0,0\n1,0,0\n")
    modelyard("promote", "fit")
    asked = modelyard("predict", "line@champion", "points.csv", "-o", "answers.csv")
    assert asked.exit_code == 0, asked.output
    answers = (project / "answers.csv").read_text().splitlines()[1:]
    assert [round(float(line.split(",")[-1])) for line in answers] == [3, 4]


def test_a_champion_must_be_beaten_over_seeds_where_that_is_asked_for(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_here(jobs, *_: object) -> bool:
        """Baseline and fit, each with a metric that depends on the seed."""
        for job in jobs:
            value = {"mean": 0.5, "fit": 0.9}[job.experiment] + 0.01 * (job.resolved.seed % (2 + len(job.experiment)))
            write_json(job.file, {"experiment": job.experiment, "seed": job.resolved.seed} | {
                "metrics": {"correlation": value}, "seconds": 1.0, "epochs": 1,
            })  # fmt: skip
        return True

    monkeypatch.setattr(replicate, "run_missing", train_here)
    monkeypatch.setenv("MODELYARD_TRACKING", "on")
    assert "There was no champion before it." in modelyard("promote", "mean", "--seeds", "5").output
    second = modelyard("promote", "fit", "--seeds", "5")
    assert second.exit_code == 0, second.output
    assert "Over 5 seeds: correlation +0." in second.output
    assert "significantly better (one-sided paired t test, p " in second.output
    assert "line@champion is version 2 (fit)" in second.output
    assert "0 comparisons" not in (project / "reports" / "promotions.json").read_text()
    assert modelyard("promote", "mean", "--seeds", "4").exit_code == 2, "no verdict from fewer than five pairs"


def test_seeds_that_change_nothing_are_no_evidence(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train_here(jobs, *_: object) -> bool:
        for job in jobs:
            write_json(job.file, {"experiment": job.experiment, "seed": job.resolved.seed} | {
                "metrics": {"correlation": {"mean": 0.5, "fit": 0.51}[job.experiment]}, "seconds": 1.0, "epochs": 1,
            })  # fmt: skip
        return True

    monkeypatch.setattr(replicate, "run_missing", train_here)
    monkeypatch.setenv("MODELYARD_TRACKING", "on")
    modelyard("promote", "mean", "--seeds", "5")
    second = modelyard("promote", "fit", "--seeds", "5").output
    assert "Over 5 seeds: correlation +0.01 with each, and no metric varies. Only the comparison on the test" in second
    assert "t test" not in second


@pytest.mark.parametrize("seed", [7, 10, 57])
def test_both_sides_have_the_same_seeds_and_none_that_the_candidate_was_chosen_by(
    seed: int, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "fit: {input: line, model: {family: linear}, training: {seed: 7}}"
    (project / "params.yaml").write_text(PARAMS.replace(own, own.replace("7", str(seed))))
    seeds: dict[str, list[int]] = {"mean": [], "fit": []}

    def train_here(jobs, *_: object) -> int:
        for job in jobs:
            seeds[job.experiment].append(job.resolved.seed)
            content = {"experiment": job.experiment, "seed": job.resolved.seed, "seconds": 1.0, "epochs": 1}
            write_json(job.file, content | {"metrics": {"correlation": 0.01 * (job.resolved.seed % 3)}})
        return 0

    monkeypatch.setattr(replicate, "run_missing", train_here)
    modelyard("promote", "mean")
    result = modelyard("promote", "fit", "--seeds", "5")
    assert result.exit_code == 0, result.output
    assert "Over 5 seeds: correlation +0" in result.output
    assert seeds["mean"] == seeds["fit"] == list(range(seed + 6, seed + 11)), "a confirmation uses the 5 before these"


def test_trainings_over_seeds_that_were_stopped_register_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modelyard("promote", "mean")
    monkeypatch.setattr(replicate, "run_missing", lambda *_: True)
    result = modelyard("promote", "fit", "--seeds", "5")
    assert result.exit_code == 1
    assert "error: 10 trainings over seeds are left; nothing was registered." in result.output
    monkeypatch.setattr(replicate, "run_missing", lambda *_: INTERRUPTED)
    assert modelyard("promote", "fit", "--seeds", "5").exit_code == 130, "by Ctrl-C, as for other commands"
    assert "line@champion is version 1 (mean)" in modelyard("promote", "mean").output
