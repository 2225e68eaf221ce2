"""The benchmark of searches: what a search costs, counted by hand on tables of four configurations."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.samplers import RandomSampler

from benchmarks.search import compared, measures, page, table
from benchmarks.search.ledger import Finished, Ledger, SearchEnded
from benchmarks.search.methods import (
    FoldBoundPruner,
    Method,
    halving,
    optuna_search,
    parameters,
    promote,
    screen,
    screen_then,
    suggest,
    tpe,
)
from benchmarks.search.replay import Search, TableSource, replay
from benchmarks.search.spaces import SPACES, Space
from benchmarks.search.table import Table
from benchmarks.search.training import Trainer
from modelyard.core.errors import ModelyardError

EPOCHS, SAMPLES = 4, 10
FULL = EPOCHS * SAMPLES
GRID = {"training.optimizer": ("adam", "sgd"), "training.learning_rate": (0.1, 0.2)}
SPACE = Space("none", GRID, dict(zip(GRID, ("adam", 0.1), strict=True)), "accuracy", EPOCHS)
BASELINE, SLOW, BEST, WORST = range(4)
CURVES = [[0.3, 0.4, 0.5, 0.5], [0.2, 0.3, 0.6, 0.7], [0.4, 0.5, 0.7, 0.9], [0.1, 0.2, 0.2, 0.2]]


@pytest.fixture(autouse=True)
def quiet_optuna():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def tiny() -> Table:
    curves = np.array(CURVES)[:, None]
    return Table(SPACE, curves, test=np.array([0.4, 0.6, 0.8, 0.1]), seconds=np.ones(4), samples=SAMPLES)


@pytest.fixture
def folded() -> Table:
    """Two folds, the second without a difference between configurations."""
    curves = np.stack([np.array(CURVES), np.full((4, EPOCHS), 0.5)], axis=1)
    return Table(replace(SPACE, folds=2), curves, np.zeros(4), np.ones(4), SAMPLES)


def costs(searched: Search) -> dict[int, int]:
    """What a search had cost when it had finished each configuration."""
    return {each.row: each.spent for each in searched.finished}


# --- accounts ---


def test_a_finished_configuration_costs_nothing_when_it_is_proposed_again(tiny):
    searched = replay(Method(optuna_search(RandomSampler)), tiny, seed=0, budget=100)
    assert sorted(searched.finished)[-1].spent == 4 * FULL
    assert len(searched.spent_after_trial) > 4


def test_a_look_at_all_costs_an_epoch_each_and_the_best_is_trained_from_its_first_epoch(tiny):
    searched = replay(Method(screen(candidates=3, keep=1, epochs=1)), tiny, seed=0)
    looks = 3 * SAMPLES
    assert costs(searched) == {
        BASELINE: FULL,
        BEST: looks + 2 * FULL,
        SLOW: looks + 3 * FULL,
        WORST: looks + 4 * FULL,
    }


def test_resumed_trainings_pay_no_epoch_twice(tiny):
    searched = replay(Method(screen(candidates=3, keep=1, epochs=1), resumes=True), tiny, seed=0)
    looks = 3 * SAMPLES
    assert costs(searched)[BEST] == FULL + looks + (EPOCHS - 1) * SAMPLES
    assert costs(searched)[WORST] == 4 * FULL


def test_promotion_pays_each_rung_once(tiny):
    """Two are looked at for two epochs each, then the better one is trained on."""
    searched = replay(Method(promote(first=2, factor=2), resumes=True), tiny, seed=0)
    assert searched.finished[1].row in (BEST, SLOW)
    assert searched.finished[1].spent == FULL + 2 * 2 * SAMPLES + 2 * SAMPLES


def test_a_pruned_trial_costs_its_epochs_until_then(tiny):
    ledger = Ledger(TableSource(tiny))

    def prune(step: int, _: float) -> None:
        if step == 2:
            raise optuna.TrialPruned

    with pytest.raises(optuna.TrialPruned):
        ledger.train(BEST, prune)
    assert (ledger.spent, ledger.finished) == (2 * SAMPLES, [])
    ledger.train(BEST)
    assert ledger.spent == 2 * SAMPLES + FULL


def test_patience_ends_a_fit_whose_score_stalls(tiny):
    ledger = Ledger(TableSource(tiny))
    assert ledger.train(WORST, patience=1) == 0.2
    assert ledger.spent == 3 * SAMPLES


def test_one_training_serves_all_numbers_of_epochs(tiny):
    ledger = Ledger(TableSource(tiny))
    assert ledger.train(SLOW, ends=(1, 3)) == 0.6
    assert ledger.spent == 3 * SAMPLES


def test_steps_are_folds_or_also_the_epochs_of_the_first(folded):
    for in_first, steps in ((False, [1, 2]), (True, [1, 2, 3, 4, 8])):
        ledger, seen = Ledger(TableSource(folded), steps_in_first_fit=in_first), []
        score = ledger.train(BEST, lambda step, score, seen=seen: seen.append((step, score)))
        assert [step for step, _ in seen] == steps
        assert [seen[-1][1], score] == pytest.approx([0.7, 0.7])
        assert (seen[-1][0], ledger.spent) == (ledger.max_steps, 2 * FULL)


def test_a_search_ends_with_its_budget_or_its_goal(tiny):
    ledger = Ledger(TableSource(tiny), budget=FULL + 1)
    ledger.train(BASELINE)
    ledger.train(SLOW)  # during which the budget ends
    with pytest.raises(SearchEnded):
        ledger.train(BEST)
    ledger = Ledger(TableSource(tiny), goal=0.7)
    ledger.train(SLOW)
    with pytest.raises(SearchEnded):
        ledger.look(BEST, 1)


# --- methods ---


def test_a_configuration_and_the_parameters_of_its_trial_are_the_same(tiny):
    study = optuna.create_study()
    for row in range(4):
        study.enqueue_trial(parameters(tiny.space, row))
        trial = study.ask()
        assert suggest(trial, tiny.space) == row
        study.tell(trial, 0.0)


def test_fold_bound_prunes_only_what_can_no_longer_win():
    study = optuna.create_study(direction="maximize", pruner=FoldBoundPruner(2))
    for folds, is_pruned in (((0.5, 0.7), False), ((0.6, 0.4), False), ((0.4, 0.9), True)):
        trial = study.ask()
        trial.report(folds[0], 1)
        assert trial.should_prune() is is_pruned  # the best possible: 0.4 + 0.7, no more than 0.5 + 0.7
        trial.report(sum(folds) / 2, 2)
        study.tell(trial, sum(folds) / 2)


@pytest.mark.parametrize("of", ["tiny", "folded"])
def test_a_look_before_tpe_is_told_to_the_study(of, request):
    of = request.getfixturevalue(of)
    searched = replay(Method(screen_then(3, 1, 2, tpe(), halving(1, 2))), of, seed=0, budget=20)
    looks = 3 * 2 * SAMPLES
    full = of.full_training
    assert costs(searched)[BASELINE] == full
    assert costs(searched)[BEST] == 2 * full + looks


@pytest.mark.parametrize("space", ["digits_cnn", "boston_mlp"])  # without folds and with
def test_every_method_searches_every_space(space):
    """On made-up curves, with a small budget."""
    of = replace(SPACES[space], metric="accuracy")
    quality = np.random.default_rng(0).random(len(of.configurations))
    curves = np.repeat(quality[:, None, None] * np.linspace(0.5, 1, of.epochs), of.fits, axis=1)
    made_up = Table(of, curves, quality, quality, SAMPLES)
    for name, method in (compared.methods_for(of) | compared.EPOCHS | compared.WARM_START).items():
        searched = replay(method, made_up, seed=0, budget=10)
        assert searched.finished[0] == (
            made_up.full_training,
            pytest.approx(quality[of.row(of.baseline)]),
            of.row(of.baseline),
        ), name
        assert searched.spent_after_trial[-1] <= 11 * made_up.full_training, name
        assert len(searched.finished) > 1, name


def test_epochs_that_are_read_off_the_curve_are_trained_once(tiny):
    searched = replay(compared.EPOCHS["TPE, epochs read off the curve"], tiny, seed=0, budget=100)
    assert sorted(searched.finished)[-1].spent == 4 * FULL
    assert {each.row: each.score for each in searched.finished} == {
        row: max(CURVES[row][0], CURVES[row][1], CURVES[row][3]) for row in range(4)
    }


def test_a_training_of_few_epochs_is_the_beginning_of_a_longer_one():
    """As `look` and the number of epochs that is read off a curve take it to be."""
    trainer = Trainer(SPACES["boston_mlp"])
    curves: dict[int, list[float]] = {2: [], 4: []}
    for epochs, curve in curves.items():
        trainer.fit(trainer.space.baseline | {"model.dropout": 0.2}, 1, epochs, curve.append)
    assert len(curves[4]) == 4
    assert curves[4][:2] == curves[2]


# --- measures ---


def test_a_stop_rule_saves_what_follows_a_while_without_a_better_score():
    scores = [0.5, 0.7, 0.7, 0.6, 0.9]
    finished = [Finished(FULL * number, score, 0) for number, score in enumerate(scores, start=1)]
    searched = Search(finished, [each.spent for each in finished])
    assert measures.stop_rule([searched], 1) == {"patience": 1, "saved": 0.4, "missed": 0.2}
    assert measures.stop_rule([searched], 3) == {"patience": 3, "saved": 0.0, "missed": 0.0}


@pytest.fixture
def measured(tiny, monkeypatch) -> dict:
    """Searches of fixed orders on the table, by method."""
    monkeypatch.setattr(measures, "TRIALS", (2,))
    orders = {
        compared.PLAIN: [(0, 1, 2)] * 4,
        compared.MEDIAN: [(1, 0), (1, 0), (1, 2), (3, 0)],
        "random": [(3, 0)] * 4,
    }
    return measures.measure(tiny, {name: [in_order(tiny, *each) for each in some] for name, some in orders.items()})


def in_order(of: Table, *rows: int) -> Search:
    """A search that trains these configurations."""
    ledger = Ledger(TableSource(of))
    for row in rows:
        ledger.train(row)
    return Search(ledger.finished, ledger.spent_after_trial)


def test_costs_ratios_and_searches_that_never_arrive_are_counted_by_hand(measured):
    assert measured["targets"]["2"] == {"score": 0.7, "cost": 2.0, "share_of_table": 0.5}
    other = measured["methods"][compared.MEDIAN]["2"]
    assert (other["cost"][0], other["ratio"][0], other["never"][0]) == (1.0, 0.5, 0.25)
    assert other["score"][0] == pytest.approx((0.7 + 0.7 + 0.9 + 0.5) / 4)
    assert other["test_gain"][0] == pytest.approx((0.6 + 0.6 + 0.8 + 0.4) / 4 - 0.6)
    plain = measured["methods"][compared.PLAIN]
    assert plain["2"]["gain"] == [0.0, 0.0, 0.0]
    assert plain["curve"][2] == 0.5  # after one full training


def test_the_curves_of_plain_tpe_and_the_defaults_have_quartiles(measured):
    assert "quartiles" not in measured["methods"][compared.MEDIAN]
    plain = measured["methods"][compared.PLAIN]
    assert plain["quartiles"] == [plain["curve"]] * 2, "all searches are the same"


def test_the_mean_ratio_is_the_geometric_mean_over_spaces(tiny, monkeypatch):
    monkeypatch.setattr(measures, "TRIALS", (2,))
    plain, fast = ([in_order(tiny, *rows)] * 4 for rows in ((0, 1, 2), (1, 0, 2)))
    assert measures.mean_ratio([(tiny, plain, fast)]) == [0.5] * 3
    assert measures.mean_ratio([(tiny, plain, fast), (tiny, plain, plain)]) == [pytest.approx(0.5**0.5, abs=1e-6)] * 3
    mixed = [*fast[:2], *plain[:2]]
    value, low, high = measures.mean_ratio([(tiny, plain, mixed)])
    assert (low, value, high) == (0.5, 0.75, 1.0)


def test_the_page_ranks_methods_by_their_cost(measured, tmp_path):
    means = {"spaces": {compared.MEDIAN: [0.5, 0.4, 0.6]}}
    results = {"seeds": 4, "optuna": "5", "spaces": {"digits_cnn": measured}, "epochs": {}, "means": means}
    results["warm_start"] = results["spaces"]
    page.write(results, None, tmp_path)
    written = (tmp_path / "README.md").read_text()
    summary = written[written.index("## Summary") :]
    rows = [line.split(" | ") for line in summary.splitlines() if line.startswith("| ")][1:]
    cells = {row[0].lstrip("| "): [cell.strip(" |") for cell in row[1:]] for row in rows[1:4]}
    assert cells == {
        compared.MEDIAN: ["0.50 (25%)", "0.50 (0.40 to 0.60)"],
        compared.PLAIN: ["1.00 (0%)", "1.00"],
        "random": ["- (100%)", "-"],
    }
    assert list(cells) == [compared.MEDIAN, compared.PLAIN, "random"]
    docs = tmp_path / "docs.md"
    marks = (page.BEGIN, page.BEGIN_REAL)
    marked = [f"{begin}\n\nold\n\n{page.END}\n" for begin in marks]
    docs.write_text(f"Before.\n{''.join(marked)}After.\n")
    searched = [{"cost": cost, "seconds": 2 * cost} for cost in (1.0, 3.0, 8.0)]
    slower = [{key: 2 * value for key, value in each.items()} for each in searched]
    real = {
        kind: {"digits_cnn": {"methods": {plain: searched, default: slower}}} for kind, plain, default in page.DEFAULTS
    }
    page.fill(docs, results | {"epochs": results["spaces"]}, real)
    assert f"| {compared.DEFAULT} | 2.00 (2.00) | 2.00 (2.00) |" in docs.read_text()
    assert docs.read_text().startswith(f"Before.\n{page.BEGIN}\n\n| epochs | method | compute | searches that miss |\n")
    assert f"| fixed | {compared.MEDIAN} | 0.50 (0.40 to 0.60) | 25% |\n" in docs.read_text()
    assert "| fixed | random | - | 100% |\n" in docs.read_text()
    assert docs.read_text().endswith(f"{page.END}\nAfter.\n")
    assert "old" not in docs.read_text()
    for plot in (page.PLOT, page.PLOT_OF_DEFAULTS):
        assert (tmp_path / plot).read_bytes().startswith(b"\x89PNG")


# --- tables ---


@pytest.fixture
def written(tiny, tmp_path, monkeypatch) -> Path:
    """What `train` writes of the four configurations."""
    monkeypatch.setitem(SPACES, "none", SPACE)
    monkeypatch.setattr(table, "FOLDER", tmp_path / "tables")
    (tmp_path / "tables").mkdir()
    lines = [
        {"row": row, "curves": [CURVES[row]], "test": [tiny.test[row]], "seconds": [1.0], "samples": SAMPLES}
        for row in range(4)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "none.jsonl").write_text(text)
    return tmp_path


def test_a_packed_table_is_read_as_it_was_trained(written, tiny):
    read = table.load("none", table.pack("none", written).parent)
    np.testing.assert_array_equal(read.curves, tiny.curves)
    np.testing.assert_array_equal(read.test, tiny.test)
    assert (read.samples, read.space.sign, read.full_training) == (SAMPLES, 1, FULL)


def test_an_interrupted_training_goes_on_with_what_is_missing(written, monkeypatch):
    file = written / "none.jsonl"
    file.write_text(file.read_text()[:-20])  # killed while it wrote the last line
    with pytest.raises(ModelyardError, match="1 of 4 configurations are not trained"):
        table.pack("none", written)
    trained = []

    def train_rows(_: str, left: list[int], __: int):
        trained.extend(left)
        yield {"row": WORST, "curves": [CURVES[WORST]], "test": [0.1], "seconds": [1.0], "samples": SAMPLES}

    monkeypatch.setattr(table, "_train_rows", train_rows)
    table.train("none", written, workers=1)
    assert trained == [WORST]
    assert table.pack("none", written).exists()


def test_a_table_of_another_grid_is_refused(written, monkeypatch):
    path = table.pack("none", written)
    grid = GRID | {"training.learning_rate": (0.1, 0.3)}
    monkeypatch.setitem(SPACES, "none", replace(SPACE, grid=grid))
    with pytest.raises(ModelyardError, match="another grid"):
        table.load("none", path.parent)


@pytest.mark.parametrize("space", [name for name in SPACES if (table.FOLDER / f"{name}.csv.xz").exists()])
def test_a_committed_table_is_that_of_its_space(space):
    of = table.load(space)
    assert len(of.curves) == len(of.space.configurations) >= 200
    assert np.isfinite(of.curves).mean() > 0.9
