"""`modelyard tune`: what is refused at once, and real searches in a clone."""

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import optuna
import pytest
from optuna.trial import FrozenTrial
from rich.console import Console
from support.commands import modelyard
from support.paths import PARAMS
from support.pipelines import add_linear, editing_params, keep_only
from support.studies import ALL, BASELINE, BEST, COMPACT, LARGE, WORSE, confirmed, study, trial, with_tuned

from modelyard.cli import tune
from modelyard.cli.tune import _print_best
from modelyard.tuning import search, storage
from modelyard.tuning.results import read_study
from modelyard.tuning.search_lock import only_search

Run = Callable[..., subprocess.CompletedProcess]
COMMAND = [sys.executable, "-c", "from modelyard.cli import app; app()"]


@pytest.fixture
def searching(clone: Path, run: Run) -> Run:
    """Runs `modelyard tune` in a clone whose one study needs neither network nor TensorFlow."""
    with editing_params(clone) as params:
        add_linear("patients", "diabetes_standard", params)
        params["experiments"]["patients"]["model"] = {"family": "boosting", "n_estimators": 10}
        keep_only(params, ["patients"])
        vary = {"model.n_estimators": {"low": 5, "high": 40}, "input": {"choices": ["diabetes_standard"]}}
        study = {"experiment": "patients", "search_space": vary, "n_trials": 3, "folds": 3, "seed": 7}
        params["studies"] = {"patients": study}
    return lambda *arguments, **more: run(*COMMAND, "tune", *arguments, **more)


@pytest.mark.slow
def test_a_study_is_run_resumed_shown_joined_and_refused_when_its_space_has_changed(clone, searching):
    first = searching("patients", "--jobs", "2")
    assert first.stdout.count("✓ trial") + first.stdout.count("✂ trial") == 3
    assert "Best val_mae:" in first.stdout
    assert (clone / ".modelyard" / "studies" / "patients.journal").exists()
    assert "trial" in (clone / "reports" / "tuning" / "patients" / "report.md").read_text()
    assert searching("patients").stdout.count("✓ trial") == 0, "three trials were asked for, and are there"
    assert searching("patients", "--trials", "4").stdout.count(" trial   3") == 1
    assert "n_estimators" in searching("patients", "--show").stdout
    with ThreadPoolExecutor(4) as machines:  # of one shared folder, that end together
        ended = list(machines.map(lambda _: searching("patients", "--join"), range(4)))
    assert all("See reports/tuning/patients/report.md" in each.stdout for each in ended)
    with editing_params(clone) as params:
        params["studies"]["patients"]["search_space"]["model.n_estimators"]["high"] = 50
    refused = searching("patients", check=False)
    assert refused.returncode == 1
    assert "search_space.model.n_estimators.high: 40 -> 50" in refused.stderr
    with editing_params(clone) as params:
        params["studies"]["patients"] |= {"max_stagnation_trials": 5, "warm_start": "patients"}
    stopped = searching("patients", "--new", "--trials", "100000").stdout
    assert "After the baseline: the best of patients, trial " in stopped
    assert "No better score in 5 trials: stopped. To go on, raise or remove" in stopped


@pytest.mark.slow
def test_after_ctrl_c_the_finished_trials_are_in_the_report_and_in_mlflow(clone, searching, environment):
    around = environment | {"MODELYARD_TRACKING": "on", "PYTHONPATH": str(clone / "src"), "COLUMNS": "300"}
    command = [*COMMAND, "tune", "patients", "--trials", "100000", "--jobs", "1"]
    search = subprocess.Popen(command, cwd=clone, env=around, stdout=subprocess.PIPE, text=True)
    try:
        next(line for line in search.stdout if " trial   2 " in line)
        search.send_signal(signal.SIGINT)
        output, _ = search.communicate(timeout=600)
    finally:
        search.kill()
    assert search.returncode == 130
    assert "Stopped. Finished trials are kept; run again to continue: modelyard tune patients" in output
    assert "Best val_mae:" in output
    assert "the best trial is" in (clone / "reports" / "tuning" / "patients" / "report.md").read_text()
    client = mlflow.MlflowClient(f"sqlite:///{clone / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("modelyard").experiment_id])
    assert {"study patients", "trial 0", "trial 1", "trial 2"} <= {each.info.run_name for each in runs}


def test_a_second_search_of_a_study_is_refused_unless_it_joins(clone: Path, searching: Run) -> None:
    searching("patients")
    with only_search("patients", clone):
        refused = searching("patients", "--trials", "4", check=False)
        assert refused.returncode == 1
        assert "error: a search of study patients is running here" in refused.stderr
        assert "add --join" in refused.stderr
        assert searching("patients", "--join", "--trials", "4").stdout.count("trial   3") == 1


def test_a_search_that_stops_after_failures_leaves_a_report_of_them(clone, searching):
    with editing_params(clone) as params:
        params["inputs"]["diabetes_standard"]["split"]["validation"] = 0.2
        del params["studies"]["patients"]["folds"]
        params["studies"]["patients"]["training_samples"] = 1000  # more than there are
    stopped = searching("patients", "--trials", "20", check=False)
    assert stopped.returncode == 1
    assert "error: stopped: 5 trials in a row failed with the same error" in stopped.stderr
    assert "No trial was completed. See reports/tuning/patients/report.md." in stopped.stdout
    assert "`training_samples: 1000` of" in (clone / "reports" / "tuning" / "patients" / "report.md").read_text()


@pytest.mark.slow
def test_more_folds_than_the_samples_allow_are_refused_before_any_trial(clone, searching):
    with editing_params(clone) as params:
        params["studies"]["patients"]["folds"] = 1000
    refused = searching("patients", check=False)
    assert refused.returncode == 1
    assert "error: 1000 folds of 353 samples: set `folds` to 353 at most." in refused.stderr
    assert "trial" not in refused.stdout
    assert "holds no study patients yet" in searching("patients", "--show", check=False).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits_cn"], "error: no such study: digits_cn; did you mean digits_cnn?"),
        (["digits_cnn", "--show"], "holds no study digits_cnn yet. Start it: modelyard tune digits_cnn"),
        (["digits_cnn", "--apply"], "holds no study digits_cnn yet. Start it: modelyard tune digits_cnn"),
        (["digits_cnn", "--join"], "holds no study digits_cnn to join: start it without --join"),
        (["digits_cnn", "--storage", "sqlite:///s.db"], "SQLite loses trials"),
        (
            ["digits_cnn", "--trial", "12"],
            "--trial 12 is for --apply: add that, or write --trials 12 for the number of trials",
        ),
        (["digits_cnn", "--replace"], "--replace is for --apply: add that"),
    ],
)
def test_a_study_that_cannot_be_run_is_refused_before_any_work(arguments, message, project):
    result = modelyard("tune", *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert not (project / "data").exists()


def test_a_cluster_that_cannot_be_used_is_refused_before_a_study_is_stored(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "require_stages", lambda *_: None)
    monkeypatch.setattr(search, "check_folds", lambda _: None)
    result = modelyard("tune", "digits_cnn", "--scheduler", "tcp://192.0.2.1:8786")
    assert result.exit_code == 1
    assert "tcp://192.0.2.1:8786 is not encrypted" in result.output
    assert "holds no study digits_cnn yet" in modelyard("tune", "digits_cnn", "--show").output


@pytest.mark.parametrize("option", ["--trials", "--jobs", "--timeout"])
def test_zero_trials_workers_or_seconds_are_refused(option, project):
    result = modelyard("tune", "digits_cnn", option, "0")
    assert result.exit_code == 2
    assert option in result.output


@pytest.mark.slow
def test_the_best_trials_are_confirmed_over_seeds_also_after_a_kill_and_applied_with_a_claim(
    clone: Path, searching: Run, environment: dict[str, str]
) -> None:
    searching("patients", "--trials", "5", "--jobs", "2")
    assert "has no finished trial besides" not in searching("patients", "--show").stdout
    around = environment | {"PYTHONPATH": str(clone / "src"), "COLUMNS": "300"}
    command = [*COMMAND, "tune", "patients", "--confirm", "--jobs", "1"]
    killed = subprocess.Popen(command, cwd=clone, env=around, stdout=subprocess.PIPE, text=True)
    next(line for line in killed.stdout if "✓ patients" in line)
    killed.kill()
    killed.communicate()
    kept = len(list((clone / ".modelyard" / "confirmation").rglob("*.json")))
    done = searching("patients", "--confirm").stdout
    assert 0 < kept < 20
    assert done.count("✓ patients") == 20 - kept, "three trials and the baseline, five seeds each"
    assert f"Runs to do: {20 - kept}; kept from before: {kept}." in done
    assert "Study patients over 5 seeds that it did not use" in done
    assert "✓" not in searching("patients", "--confirm").stdout, "all runs are kept"
    assert "| baseline |" in (clone / "reports" / "tuning" / "patients" / "report.md").read_text()
    applied = searching("patients", "--apply", check=False)
    if applied.returncode:  # by chance
        assert "over 5 seeds, no trial is better than the baseline" in applied.stderr
    else:
        assert "claims.yaml has the claim tuned_patients" in applied.stdout
        assert "tuned_patients" in (clone / "claims.yaml").read_text()


def test_a_study_that_was_never_run_cannot_be_confirmed(project: Path) -> None:
    result = modelyard("tune", "digits_cnn", "--confirm")
    assert result.exit_code == 1
    assert "error: " in result.output
    assert "digits_cnn" in result.output


@pytest.fixture
def stored(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., optuna.Study]:
    """Stores a study of digits_cnn as if it had been searched, for the next commands."""
    (project / "params.yaml").write_bytes(PARAMS.read_bytes())

    def store(*trials: FrozenTrial, confirmation: dict | None = None) -> optuna.Study:
        created = study(*trials)
        if confirmation:
            created.set_user_attr("confirmation", confirmation)
        monkeypatch.setattr(storage, "load_latest_study", lambda name, location: created)
        return created

    return store


CAN_BE_CONFIRMED = "To compare it over several: modelyard tune digits_cnn --confirm"


@pytest.mark.parametrize(
    "trials, confirmation, arguments, advised",
    [
        (ALL, None, [], True),
        (ALL, None, ["--trial", "5"], True),
        (ALL, confirmed(5, 1), ["--trial", "5"], False),
        ((BASELINE, BEST, trial([0.85], rate=0.03), WORSE, trial([0.89], rate=0.02)), None, ["--trial", "3"], False),
        ((LARGE, COMPACT), None, ["--trial", "1"], False),
    ],
    ids=["best", "candidate", "confirmed", "too bad to be confirmed", "two metrics"],
)
def test_a_confirmation_is_advised_only_of_what_it_trains(
    trials: tuple, confirmation: dict | None, arguments: list[str], advised: bool, stored: Callable
) -> None:
    stored(*trials, confirmation=confirmation)
    applied = modelyard("tune", "digits_cnn", "--apply", *arguments)
    assert "params.yaml now has digits_cnn_tuned" in applied.output
    assert (CAN_BE_CONFIRMED in applied.output) is advised


@pytest.mark.parametrize(
    "options, message",
    [
        (["--confirm", "--apply"], "--confirm and --apply are separate steps: run one after the other"),
        (["--show", "--trials", "9"], "--trials is for a search, and --show runs none: leave it out"),
        (["--apply", "--new", "--join"], "--join, --new is for a search, and --apply runs none"),
    ],
)
def test_options_that_contradict_each_other_are_refused(project: Path, options: list[str], message: str) -> None:
    refused = modelyard("tune", "digits_cnn", *options)
    assert refused.exit_code == 1
    assert message in refused.output


def test_what_was_applied_and_a_claim_about_other_settings_are_said(project: Path, stored: Callable) -> None:
    stored(*ALL, confirmation=confirmed(5, 1))
    applied = modelyard("tune", "digits_cnn", "--apply").output
    assert "now has digits_cnn_tuned, the best over 5 seeds of the best 2 of 6 trials of study digits_cnn." in applied
    replaced = modelyard("tune", "digits_cnn", "--apply", "--trial", "1", "--replace").output
    assert "warning: the claim tuned_digits_cnn of claims.yaml is about the settings before: remove it" in replaced


def test_an_edited_claim_is_said_to_be_kept(project: Path, stored: Callable) -> None:
    stored(*ALL, confirmation=confirmed(5, 1))
    modelyard("tune", "digits_cnn", "--apply")
    claims = project / "claims.yaml"
    claims.write_text(claims.read_text().replace("smallest: 0.005", "smallest: 0.02"))
    assert "keeps it, though a new one would differ" in modelyard("tune", "digits_cnn", "--apply").output


@pytest.mark.parametrize(
    "gain, next_step",
    [
        (0.02, "Next: modelyard tune digits_cnn --apply"),
        (0.0, "The baseline has the best mean"),
        (-0.1, "The baseline"),
    ],
)
def test_a_winner_is_to_be_applied_only_where_one_is_better_than_the_baseline(
    gain: float, next_step: str, capsys: pytest.CaptureFixture
) -> None:
    created = study(*ALL)
    created.set_user_attr("confirmation", confirmed(1, 5, gain=gain))
    _print_best(Console(width=200), read_study(created))
    printed = capsys.readouterr().out
    assert next_step in printed
    assert ("--apply" in printed) is (gain > 0)


def test_nothing_is_to_be_applied_where_the_tuned_experiment_is_better(capsys: pytest.CaptureFixture) -> None:
    created = study(*ALL)
    created.set_user_attr("confirmation", with_tuned(confirmed(1, 5), 0.93))
    _print_best(Console(width=200), read_study(created))
    printed = capsys.readouterr().out
    assert "digits_cnn_tuned, which params.yaml has, has the best mean: there is nothing to apply." in printed
