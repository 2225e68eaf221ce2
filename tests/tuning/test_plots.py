"""What the plots of a study show."""

import numpy as np
import pytest
from matplotlib import pyplot, rcParams
from optuna.trial import TrialState
from support.studies import ALL, BASELINE, BEATEN, BEST, COMPACT, LARGE, PRUNED, study, trial

from modelyard.tuning import plots
from modelyard.tuning.results import read_study


@pytest.fixture(autouse=True)
def _style() -> None:
    with plots._pyplot():
        yield


def draw(plot, searched):
    return plot(searched, read_study(searched))


def test_the_history_has_every_score_the_best_so_far_pruned_trials_and_the_baseline():
    (axes,) = draw(plots.draw_history, study(*ALL)).axes
    best, pruned, baseline = axes.lines
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [(0, 0.9), (1, 0.94), (5, 0.8)])
    assert (best.get_ydata()[0], best.get_ydata()[-1]) == (0.9, 0.94)
    np.testing.assert_array_equal(pruned.get_xydata(), [(2, 0.41)])
    assert set(baseline.get_ydata()) == {0.9}
    assert axes.get_ylabel() == "val_accuracy"


def test_the_best_so_far_falls_when_a_metric_is_minimized():
    searched = study(trial([3.0]), trial([4.0]), trial([2.0]), maximize=False)
    best = draw(plots.draw_history, searched).axes[0].lines[0]
    np.testing.assert_array_equal(best.get_ydata(), [3.0, 3.0, 2.0])


def test_scores_far_apart_have_a_logarithmic_axis():
    far = study(trial([1.0]), trial([1000.0]), maximize=False)
    for searched, scale in ((study(*ALL), "linear"), (far, "log")):
        assert draw(plots.draw_history, searched).axes[0].get_yscale() == scale
        assert draw(plots.draw_slices, searched).axes[0].get_yscale() == scale
    labels = [label.get_text() for label in draw(plots.draw_parallel, far).axes[0].get_xticklabels()]
    assert labels[0] == "log10 val_accuracy"


def test_a_slice_has_the_scores_over_the_values_of_each_setting():
    filters, epochs, rates, _ = draw(plots.draw_slices, study(*ALL)).axes
    assert sorted(map(tuple, epochs.collections[0].get_offsets())) == [(3, 0.8), (4, 0.9), (5, 0.94)]
    assert [each.get_xscale() for each in (epochs, rates)] == ["linear", "log"]
    assert {label.get_text() for label in filters.get_xticklabels()} == {"[16, 32]", "[32, 64]"}


@pytest.mark.parametrize(("maximize", "thick"), [(True, 0.94), (False, 0.8)])
def test_the_line_of_the_best_trial_is_the_thick_one(maximize, thick):
    axes = draw(plots.draw_parallel, study(*ALL, maximize=maximize)).axes[0]
    (lines,) = axes.collections
    widths = dict(zip(lines.get_array(), lines.get_linewidth(), strict=True))
    assert max(widths, key=widths.get) == thick
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "val_accuracy", "model.\nfilters", "training.\nepochs", "training.\nlearning_rate"
    ]  # fmt: skip


def test_the_most_important_parameter_is_on_top():
    many = [trial([0.5 + 10 * rate], rate=rate) for rate in np.linspace(0.001, 0.02, 12)]
    searched = study(*many)
    shares = plots.importances(read_study(searched))
    (axes,) = plots.draw_importances(searched, read_study(searched), shares).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[-1] == max(shares, key=shares.get) == "training.learning_rate"


def test_epochs_that_were_read_off_are_no_setting_of_a_plot_and_hide_no_trial():
    read_off = [trial([0.7, value, 0.8], rate=rate, read_off=2) for value, rate in ((0.91, 0.002), (0.92, 0.003))]
    searched = study(BASELINE, *read_off)
    filters, rates, _ = draw(plots.draw_slices, searched).axes
    assert len(rates.collections[0].get_offsets()) == len(filters.collections[0].get_offsets()) == 3
    parallel = draw(plots.draw_parallel, searched).axes[0]
    assert len(parallel.collections[0].get_segments()) == 3
    assert len(parallel.get_xticklabels()) == 3
    assert "training.epochs" not in plots.interactive_page(searched, read_study(searched), ["slice", "parallel"], {})


def test_choices_that_look_like_formulas_are_drawn_as_they_are():
    searched = study(BASELINE, BEST)
    for plot in (plots.draw_slices, plots.draw_parallel):
        figure = draw(plot, searched)
        for axes in figure.axes:
            for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
                if "[" in label.get_text():
                    assert not label.get_parse_math()


def test_a_setting_with_which_trials_are_pruned_is_important():
    finished = [trial([0.8 + rate], rate=rate) for rate in np.linspace(0.001, 0.02, 8)]
    pruned = [trial([0.2], TrialState.PRUNED, filters="[16, 32]", rate=rate) for rate in np.linspace(0.001, 0.02, 8)]
    without, shares = (plots.importances(read_study(study(*trials))) for trials in (finished, [*finished, *pruned]))
    assert shares["model.filters"] > 0.03 > without["model.filters"]


@pytest.mark.parametrize("maximize", [True, False])
def test_of_several_metrics_importances_are_for_a_good_score(maximize):
    many = [trial([0.5 + 10 * rate], rate=rate, size=1000) for rate in np.linspace(0.001, 0.02, 20)]
    few = [trial([0.5 + 10 * rate], rate=rate) for rate in np.linspace(0.001, 0.02, 20)]
    one, two = (plots.importances(read_study(study(*trials, maximize=maximize))) for trials in (few, many))
    assert one == two != {}


def test_the_best_score_is_drawn_over_the_epochs_of_all_trials_with_and_without_pruning():
    # The pruned trial ended first.
    unpruned, pruned, baseline = draw(plots.draw_compute, study(BASELINE, PRUNED, BEST)).axes[0].lines
    np.testing.assert_array_equal(unpruned.get_xydata(), [(6, -np.inf), (10, 0.9), (15, 0.94)])
    np.testing.assert_array_equal(pruned.get_xydata(), [(2, -np.inf), (6, 0.9), (11, 0.94)])
    assert set(baseline.get_ydata()) == {0.9}
    stopped, failed = trial([0.91], epochs=6, rate=0.002), trial([0.5], TrialState.FAIL, epochs=6)
    unpruned, pruned, _ = draw(plots.draw_compute, study(BASELINE, PRUNED, stopped, failed)).axes[0].lines
    spared = unpruned.get_xdata()[-1] - pruned.get_xdata()[-1]
    assert spared == 4, "the pruned trial's alone: not by early stopping, nor by a failure"
    falling = draw(plots.draw_compute, study(trial([3.0]), trial([4.0]), trial([2.0]), maximize=False))
    np.testing.assert_array_equal(falling.axes[0].lines[0].get_ydata(), [3.0, 3.0, 2.0])


def test_importances_need_several_trials():
    assert plots.importances(read_study(study(BASELINE))) == {}


def test_plots_of_one_trial_leave_no_style_and_no_open_figure_behind(tmp_path):
    before = dict(rcParams)
    searched = study(BASELINE, PRUNED)
    names = plots.save_plots(searched, read_study(searched), tmp_path, {})
    assert names == ["history.png", "compute.png", "slice.png", "parallel.png"]
    assert {path.name for path in tmp_path.iterdir()} == {*names, "plots.html"}
    assert pyplot.get_fignums() == []
    assert dict(rcParams) == before


def test_the_pareto_front_has_a_point_for_each_trial_and_names_both_metrics():
    searched = study(LARGE, COMPACT, BEATEN)
    (axes,) = draw(plots.draw_pareto, searched).axes
    points = [tuple(point) for drawn in axes.collections for point in drawn.get_offsets()]
    assert sorted(points) == [(0.8, 1000), (0.9, 9500), (0.95, 9000)]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("val_accuracy", "parameters")
    (history,) = draw(plots.draw_history, searched).axes
    np.testing.assert_array_equal(history.collections[0].get_offsets(), [(0, 0.95), (1, 0.8), (2, 0.9)])


def test_a_pruned_trial_without_a_score_is_left_out_of_the_importances():
    silent = trial([], TrialState.FAIL)
    silent.state = TrialState.PRUNED
    assert len(plots.study_of_scores(read_study(study(BASELINE, BEST, silent))).trials) == 2
