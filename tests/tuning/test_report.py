"""What a study leaves for people: the page, its pictures, its table."""

from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from support.studies import ALL, BEST, FAILED, PARAMS, PRESENT, PRUNED, VARY, study, trial

from modelyard.tuning import plots, report
from modelyard.tuning.results import find
from modelyard.tuning.terminal_table import table

MANY = tuple(trial([0.5, 0.5 + rate], epochs=2 + number % 5, rate=rate) for number, rate in enumerate((0.01, 0.02) * 5))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study with trials of every kind."""
    folder = tmp_path_factory.mktemp("report") / "digits_cnn"
    report.write(study(*ALL, *MANY), folder, PARAMS)
    return folder


def line(text: str, beginning: str) -> str:
    """The cells of the table's row that begins so."""
    (found,) = [each for each in text.splitlines() if each.startswith(f"| {beginning} |")]
    return found.removeprefix(f"| {beginning} |").strip(" |")


def test_the_report_tells_what_was_gained_and_what_pruning_spared(written: Path) -> None:
    text = (written / "report.md").read_text()
    assert "the best trial is 1 with **0.94**, the present experiment has 0.9: a gain of **0.04**" in text
    assert "| trials | 13 finished, 1 pruned, 2 failed |" in text
    assert line(text, "epochs spared by pruning") == "4, 10% of what all would have run"
    assert line(text, "time of all trials together") == "1 min 10 s"
    assert line(text, "time spared by pruning") == "about 8.0 s"
    assert line(text, "from the first trial's beginning to the last one's end") == "10.0 s"
    assert "| 1 | 0.94 | 5 | 10.0 s | [16, 32] | 5 | 0.01 |" in text
    assert "| 1 | MemoryError: no room for 4 GB |" in text


def test_the_report_prints_the_entry_that_apply_writes(written: Path) -> None:
    text = (written / "report.md").read_text()
    assert "`modelyard tune digits_cnn --apply`" in text
    assert "```yaml\ndigits_cnn_tuned:\n  input: digits\n  model: {family: cnn, filters: [16, 32]," in text


def test_the_report_says_what_each_setting_was_allowed_and_how_important_it_is(written: Path) -> None:
    text = (written / "report.md").read_text()
    assert line(text, "`model.filters`").startswith("[16, 32], [32, 64] | 0.")
    assert line(text, "`training.epochs`").startswith("2 to 6 | 0.")
    assert line(text, "`training.learning_rate`").startswith("0.0001 to 0.1, by orders of magnitude | 0.")


def test_every_picture_that_the_report_shows_is_there(written: Path) -> None:
    shown = {
        each.rpartition("(")[2].rstrip(")")
        for each in (written / "report.md").read_text().splitlines()
        if each[:1] == "!"
    }
    assert shown == {"history.png", "importances.png", "slice.png", "parallel.png"}
    assert {path.name for path in written.iterdir()} == shown | {"report.md", "plots.html", "trials.csv"}


def test_the_table_of_trials_has_a_row_for_each_and_no_times(written: Path) -> None:
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
    """Notes whatever a page would load, and the plots that it has a place for."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.scripts = 0
        self.plots: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [given[name] for name in ("src", "href", "data", "srcset") if name in given]
        self.loads += [tag] if tag in ("link", "iframe", "base") else []
        self.plots |= {given["id"]} if "plotly-graph-div" in (given.get("class") or "") else set()


def test_the_interactive_page_loads_nothing_from_outside_and_uploads_nothing(written: Path) -> None:
    html = (written / "plots.html").read_text()
    seen = Outside()
    seen.feed(html)
    assert seen.loads == []
    assert seen.plots == {"history", "importances", "slice", "parallel"}
    assert html.count('"showSendToCloud": false') == 4
    assert "@import" not in html[: html.index("<script>")]


@pytest.mark.parametrize("trials", [(), (PRUNED,), (FAILED,)])
def test_a_study_without_a_finished_trial_has_a_report_without_pictures(trials: tuple, tmp_path: Path) -> None:
    report.write(study(*trials), tmp_path / "report", PARAMS)
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.md", "trials.csv"}
    assert "No trial has finished yet" in (tmp_path / "report" / "report.md").read_text()


def test_with_few_trials_no_importance_is_claimed(tmp_path: Path) -> None:
    report.write(study(PRESENT), tmp_path / "report", PARAMS)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "none is better than the present experiment" in text
    assert "Too few trials have finished to say how important" in text
    assert not (tmp_path / "report" / "importances.png").exists()


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({"folds": 5}, "by its val_accuracy, the mean over 5 folds (more is better)"),
        (
            {"training_rows": 800},
            "by its val_accuracy after learning from its first 800 training rows (more is better)",
        ),
    ],
)
def test_rows_that_are_not_the_experiments_own_are_told(space: dict, told: str, tmp_path: Path) -> None:
    made = study(PRESENT, BEST)
    made.set_user_attr("space", made.user_attrs["space"] | space)
    report.write(made, tmp_path / "report", PARAMS)
    assert told in (tmp_path / "report" / "report.md").read_text()


def test_the_history_shows_every_score_the_best_so_far_and_the_present_experiment() -> None:
    (axes,) = plots.history(find(study(*ALL))).axes
    finished, pruned, best, present = axes.lines
    np.testing.assert_array_equal(finished.get_xydata(), [(0, 0.9), (1, 0.94), (5, 0.8)])
    np.testing.assert_array_equal(pruned.get_xydata(), [(2, 0.41)])
    np.testing.assert_array_equal(best.get_ydata(), [0.9, 0.94, 0.94])
    assert set(present.get_ydata()) == {0.9}


def test_where_less_is_better_the_best_so_far_falls() -> None:
    best = plots.history(find(study(trial([3.0]), trial([4.0]), trial([2.0]), up=False))).axes[0].lines[2]
    np.testing.assert_array_equal(best.get_ydata(), [3.0, 3.0, 2.0])


def test_scores_far_apart_are_drawn_on_a_logarithmic_axis() -> None:
    far = study(trial([1.0]), trial([1000.0]), up=False)
    scales = [plots.history(find(made)).axes[0].get_yscale() for made in (study(*ALL), far)]
    assert scales == ["linear", "log"]


def test_a_slice_has_each_settings_values_under_the_scores() -> None:
    filters, epochs, rates, _ = plots.slices(find(study(*ALL))).axes
    np.testing.assert_array_equal(filters.collections[0].get_offsets(), [(1, 0.9), (0, 0.94), (1, 0.8)])
    np.testing.assert_array_equal(epochs.collections[0].get_offsets(), [(4, 0.9), (5, 0.94), (3, 0.8)])
    assert [each.get_xscale() for each in (filters, epochs, rates)] == ["linear", "linear", "log"]
    assert [label.get_text() for label in filters.get_xticklabels()] == ["[16, 32]", "[32, 64]"]


def test_a_line_of_the_parallel_picture_runs_through_a_trials_values_and_its_score() -> None:
    (axes,) = plots.parallel(find(study(*ALL))).axes
    ways = [each for each in axes.lines if len(each.get_xydata()) == 4]
    best = max(ways, key=lambda way: way.get_linewidth())
    np.testing.assert_allclose(best.get_ydata(), [0, 3 / 4, 2 / 3, 1])
    assert len(ways) == 3


def shown(made: object) -> str:
    console = Console(width=200, record=True, file=StringIO())
    console.print(table(made))
    return console.export_text()


def test_the_table_in_the_terminal_has_the_best_trial_on_top_and_says_why_others_failed() -> None:
    text = shown(study(*ALL))
    rows = [[cell.strip() for cell in each.split("│")[1:-1]] for each in text.splitlines() if each.startswith("│")]
    assert [row[0] for row in rows] == ["1", "0", "5", "2", "3", "4"]
    assert rows[0] == ["1", "finished", "0.94", "5", "10.0", "[16, 32]", "5", "0.01", "best"]
    assert [row[-1] for row in rows[1:]] == [
        "present experiment", "", "", "MemoryError: no room for 4 GB", "its process was killed"
    ]  # fmt: skip
    assert "gain over the present experiment 0.04; pruning spared 4 epochs" in text


def test_a_trial_that_took_over_a_score_says_from_which() -> None:
    text = shown(study(PRESENT, trial([0.9], repeats=0)))
    assert "as trial 0, not trained again" in text


def test_a_table_of_nothing_says_so() -> None:
    assert "no trial yet" in shown(study())
