"""A study's trials in the terminal."""

from io import StringIO
from itertools import pairwise

from rich.console import Console
from support.studies import ALL, BASELINE, BEATEN, COMPACT, LARGE, confirmed, study, trial
from support.tables import assert_fits

from modelyard.tuning.terminal_table import trials_table


def printed(searched: object) -> str:
    console = Console(width=200, record=True, file=StringIO())
    console.print(trials_table(searched))
    return console.export_text()


def test_the_best_trial_is_on_top_and_failed_ones_have_their_reason() -> None:
    text = printed(study(*ALL))
    rows = [[cell.strip() for cell in each.split("│")[1:-1]] for each in text.splitlines() if each.startswith("│")]
    trials = [row for row in rows if row[0]]
    last_lines = [row[-1] for row, following in pairwise([*rows, trials[0]]) if following[0]]
    assert [row[0] for row in trials] == ["1", "0", "5", "2", "3", "4"]
    assert rows[0] == ["1", "0.94", "5", "10.0", "filters [16, 32], epochs 5,"]
    assert [row[1] for row in trials] == ["0.94", "0.9", "0.8", "0.41 pruned", "failed", "failed"]
    remarks = ["best", "baseline", "learning_rate 0.0005", "learning_rate 0.09"]
    assert last_lines == [*remarks, "MemoryError: no room for 4 GB", "its process was killed"]
    assert "better than the baseline by 0.04, with one seed each, and overestimated: it was selected; pruning" in (
        " ".join(text.split())
    )


def test_a_confirmed_study_has_its_gain_over_seeds_below_the_table() -> None:
    searched = study(*ALL)
    searched.set_user_attr("confirmation", confirmed(5, 1))
    text = " ".join(printed(searched).split())
    assert "; over 5 seeds trial 5 minus the baseline is +0.02 (+0.01 to +0.03), p = 0.004; pruning spared 4" in text
    assert "one seed" not in text
    searched.set_user_attr("confirmation", confirmed(2))
    assert "with one seed each" in " ".join(printed(searched).split()), "the best trials are others since"


def test_a_repeated_trial_names_the_one_whose_score_it_has() -> None:
    text = printed(study(BASELINE, trial([0.9], repeats=0)))
    assert "as trial 0, not trained again" in text


def test_the_table_of_an_empty_study_has_no_trial_yet() -> None:
    assert "no trial yet" in printed(study())


def test_the_table_fits_a_terminal_of_80_columns() -> None:
    assert_fits(trials_table(study(*ALL, trial([0.9], repeats=0))))


def test_no_setting_is_broken_in_a_terminal_of_80_columns() -> None:
    for searched in (study(*ALL), study(LARGE, COMPACT, BEATEN)):
        console = Console(width=80, record=True, file=StringIO())
        console.print(trials_table(searched))
        cells = [line.split("│")[-2].strip() for line in console.export_text().splitlines() if line.startswith("│")]
        assert {cell for cell in cells if cell.startswith(("filters", "epochs", "learning_rate"))}
        assert not [cell for cell in cells if cell.endswith(("filters", "epochs", "learning_rate", "[16,", "[32,"))]
        assert not [cell for cell in cells if cell[:1].isdigit()]


def test_a_study_of_two_metrics_shows_both_and_marks_the_front() -> None:
    searched = study(LARGE, COMPACT, BEATEN)
    text = printed(searched)
    assert "parameters" in text
    assert "9,000" in text
    assert " ".join(text.split()).count("Pareto") == 2
    assert_fits(trials_table(searched))
