"""The report of a study: its text, its plots and trials.csv."""

from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from support.studies import (
    ALL,
    BASELINE,
    BEATEN,
    BEST,
    COMPACT,
    FAILED,
    KILLED,
    LARGE,
    PARAMS,
    PRUNED,
    VARY,
    confirmed,
    study,
    trial,
)

from modelyard.tuning import plots, report

MANY = tuple(trial([0.5, 0.5 + rate], epochs=2 + number % 5, rate=rate) for number, rate in enumerate((0.01, 0.02) * 5))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study with trials of every kind."""
    folder = tmp_path_factory.mktemp("report") / "digits_cnn"
    report.write(study(*ALL, *MANY), folder, PARAMS)
    return folder


def line(text: str, beginning: str) -> str:
    """The cells of the table's row that begins so."""
    (row,) = [each for each in text.splitlines() if each.startswith(f"| {beginning} |")]
    return row.removeprefix(f"| {beginning} |").strip(" |")


def test_the_report_compares_with_the_baseline_and_has_what_pruning_spared(written: Path) -> None:
    text = (written / "report.md").read_text()
    assert "the best trial is 1 with **0.94**, the baseline has 0.9, each with one seed" in text
    assert "a gain" not in text
    assert "Not confirmed: `modelyard tune digits_cnn --confirm` trains the best trials" in text
    assert "| trials | 13 finished, 1 pruned, 2 failed |" in text
    assert line(text, "epochs spared by pruning") == "4, 10% of what all would have run"
    assert line(text, "time of all trials together") == "1 min 10 s"
    assert line(text, "time spared by pruning") == "about 8.0 s"
    assert line(text, "from the first trial's start to the last one's end") == "10.0 s"
    assert "| 1 | 0.94 | 5 | 10.0 s | [16, 32] | 5 | 0.01 |" in text
    assert "| 1 | MemoryError: no room for 4 GB |" in text


def test_the_report_prints_the_entry_that_apply_writes(written: Path) -> None:
    text = (written / "report.md").read_text()
    assert "`modelyard tune digits_cnn --apply` writes the best trial into params.yaml;" in text
    assert "```yaml\ndigits_cnn_tuned:\n  input: digits\n  model: {family: cnn, filters: [16, 32]," in text


def test_the_report_has_the_range_and_the_importance_of_each_setting(written: Path) -> None:
    text = (written / "report.md").read_text()
    assert line(text, "`model.filters`").startswith("[16, 32], [32, 64] | 0.")
    assert line(text, "`training.epochs`").startswith("2 to 6 | 0.")
    assert line(text, "`training.learning_rate`").startswith("0.0001 to 0.1, logarithmic | 0.")


def test_the_importances_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator, computed = plots.FanovaImportanceEvaluator, []

    def counted(**options: int) -> plots.FanovaImportanceEvaluator:
        computed.append(options)
        return evaluator(**options)

    monkeypatch.setattr(plots, "FanovaImportanceEvaluator", counted)
    report.write(study(*ALL, *MANY), tmp_path / "report", PARAMS)
    assert len(computed) == 1


def test_every_plot_of_the_report_exists(written: Path) -> None:
    shown = {
        each.rpartition("(")[2].rstrip(")")
        for each in (written / "report.md").read_text().splitlines()
        if each[:1] == "!"
    }
    assert shown == {"history.png", "compute.png", "importances.png", "slice.png", "parallel.png"}
    assert {path.name for path in written.iterdir()} == shown | {"report.md", "plots.html", "trials.csv"}


def test_trials_csv_has_a_row_for_each_trial_and_no_times(written: Path) -> None:
    trials = pd.read_csv(written / "trials.csv")
    assert list(trials) == ["trial", "state", "val_accuracy", "epochs", *VARY]
    assert list(trials.state[:6]) == ["finished", "finished", "pruned", "failed", "failed", "finished"]
    assert trials.val_accuracy[1] == 0.94
    assert trials["model.filters"][1] == "[16, 32]"


def test_a_second_report_of_the_same_study_is_the_same_bytes(written: Path, tmp_path: Path) -> None:
    report.write(study(*ALL, *MANY), tmp_path / "again", PARAMS)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()
    }


class Outside(HTMLParser):
    """Collects what a page would load, and its plots."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.scripts = 0
        self.plots: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.loads += [attributes[name] for name in ("src", "href", "data", "srcset") if name in attributes]
        self.loads += [tag] if tag in ("link", "iframe", "base") else []
        self.plots |= {attributes["id"]} if "plotly-graph-div" in (attributes.get("class") or "") else set()


def test_the_interactive_page_loads_nothing_from_outside_and_uploads_nothing(written: Path) -> None:
    html = (written / "plots.html").read_text()
    seen = Outside()
    seen.feed(html)
    assert seen.loads == []
    assert seen.plots == {"history", "importances", "slice", "parallel"}
    assert html.count('"showSendToCloud": false') == 4
    assert "@import" not in html[: html.index("<script>")]


@pytest.mark.parametrize("trials", [(), (PRUNED,), (FAILED,)])
def test_a_study_without_a_finished_trial_has_a_report_without_plots(trials: tuple, tmp_path: Path) -> None:
    report.write(study(*trials), tmp_path / "report", PARAMS)
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.md", "trials.csv"}
    assert "No trial has finished yet" in (tmp_path / "report" / "report.md").read_text()


def test_epochs_that_were_read_off_are_named_as_such_and_stand_in_the_tables(tmp_path: Path) -> None:
    read_off = trial([0.7, 0.8, 0.95], rate=0.01, read_off=3)
    pruned = trial([0.3, 0.2], TrialState.PRUNED, rate=0.09, read_off=2)
    report.write(study(BASELINE, read_off, pruned), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert line(text, "`training.epochs`") == "2 to 6 | read off the learning curves (1)"
    assert "it, with its number of epochs, was chosen on these samples" in text
    trials = pd.read_csv(tmp_path / "trials.csv", dtype=str)
    assert trials["val_accuracy"][1] == "0.95"
    assert list(trials["training.epochs"].fillna("")) == ["4", "3", ""]


def test_a_study_of_the_number_of_epochs_alone_has_a_report(tmp_path: Path) -> None:
    searched = study(epochs_only(4, [0.8, 0.85, 0.9]), epochs_only(None, [0.8, 0.95, 0.9]))
    epochs = {"training.epochs": VARY["training.epochs"]}
    searched.set_user_attr("space", searched.user_attrs["space"] | {"search_space": epochs})
    report.write(searched, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["compute.png", "history.png"]


def epochs_only(epochs: int | None, curve: list[float]) -> FrozenTrial:
    """A trial of a study that varies the number of epochs only."""
    given = {} if epochs is None else {"training.epochs": epochs}
    attributes = {} if epochs else {"epochs_read_off": 2}
    values = dict(enumerate(curve, start=1))
    distributions = {name: IntDistribution(2, 6) for name in given}
    created = create_trial(value=curve[-1] if epochs else max(curve), params=given, distributions=distributions)
    created.intermediate_values, created.user_attrs = values, {"epochs": len(curve), **attributes}
    return created


def test_with_few_trials_there_are_no_importances(tmp_path: Path) -> None:
    report.write(study(BASELINE), tmp_path / "report", PARAMS)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "none is better than the baseline" in text
    assert "Too few trials have finished with different scores to estimate importances" in text
    assert not (tmp_path / "report" / "importances.png").exists()


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ({"folds": 5}, "by its val_accuracy, the mean over 5 folds (higher is better)"),
        (
            {"training_samples": 800},
            "by its val_accuracy after training on the first 800 training samples (higher is better)",
        ),
    ],
)
def test_folds_and_training_samples_are_stated(space: dict, text: str, tmp_path: Path) -> None:
    searched = study(BASELINE, BEST)
    searched.set_user_attr("space", searched.user_attrs["space"] | space)
    report.write(searched, tmp_path / "report", PARAMS)
    assert text in (tmp_path / "report" / "report.md").read_text()


def test_a_confirmed_study_shows_the_means_over_seeds(tmp_path: Path) -> None:
    created = study(*ALL)
    created.set_user_attr("confirmation", confirmed(5, 1))
    report.write(created, tmp_path / "report", PARAMS)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "each trained with the same 5 seeds that the search did not use" in text
    assert "| 5 | 0.92 | +0.02 (+0.01 to +0.03) | 0.004 |\n" in text
    assert "writes the trial that is best over seeds into params.yaml" in text
    assert "| baseline | 0.9 |  |  |" in text
    assert "others since" not in text
    assert "more than chance" not in text
    may_be_chance = confirmed(2, gain=-1e-9)
    may_be_chance["candidates"][0]["p_value"] = 0.21
    created.set_user_attr("confirmation", may_be_chance)
    report.write(created, tmp_path / "report", PARAMS)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "**The best trials are others since**" in text
    assert "| 2 | 0.9 | +0 (-0.01 to +0.01) | 0.21 |" in text
    assert "**The trial with the best mean is not better than the baseline by more than chance (p < 0.05).**" in text


def test_the_second_trial_may_be_better_by_more_than_chance_though_the_first_is_not(tmp_path: Path) -> None:
    created, confirmation = study(*ALL), confirmed(5, 1)
    confirmation["candidates"][0]["p_value"] = 0.2
    confirmation["candidates"][1]["p_value"] = 3e-5
    created.set_user_attr("confirmation", confirmation)
    report.write(created, tmp_path / "report", PARAMS)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "3e-05" in text
    assert "No trial is better" not in text


def test_trials_with_equal_scores_have_a_report_without_importances(tmp_path: Path) -> None:
    report.write(study(*(trial([0.9], rate=rate / 100) for rate in range(1, 7))), tmp_path / "report", PARAMS)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "Too few trials have finished with different scores to estimate importances." in text


def test_a_study_of_two_metrics_shows_its_pareto_front_and_how_to_choose(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    report.write(study(LARGE, COMPACT, BEATEN), folder, PARAMS)
    text = (folder / "report.md").read_text()
    front = text.partition("## The Pareto front")[2].partition("##")[0]
    assert [line.split("|")[1].strip() for line in front.splitlines() if line.startswith("|")][2:] == [
        "0 (baseline)",
        "1",
    ]
    assert "| 0.95 | 9,000 |" in front
    assert "`modelyard tune digits_cnn --apply --trial 1` writes trial 1 into params.yaml." in front
    assert "## Over seeds" not in text
    assert (folder / "pareto.png").exists()
    assert 'id="pareto"' in (folder / "plots.html").read_text()
    assert (folder / "trials.csv").read_text().startswith("trial,state,val_accuracy,parameters,epochs,")


def test_the_table_of_trials_has_the_retry_of_a_trial_and_not_the_trial(tmp_path: Path) -> None:
    retry = trial([0.5, 0.6], rate=0.0002, again=1)
    report.write(study(BASELINE, KILLED, retry), tmp_path / "report", PARAMS)
    rows = (tmp_path / "report" / "trials.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["trial", "0", "2"]
