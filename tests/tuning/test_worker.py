"""The sampler and the pruner of a worker."""

import optuna
import pytest
from support.searches import plan

from modelyard.tuning.objective import suggest_values
from modelyard.tuning.worker import make_pruner, make_sampler


def test_each_seed_samples_its_own_values_and_the_same_each_time(tmp_path):
    seeds = [(7, 1), (7, 1), (7, 2), (8, 1), (7, 1, 99)]
    sampled = [suggest_values(optuna.create_study(sampler=make_sampler(seed)).ask(), plan(tmp_path)) for seed in seeds]
    assert sampled[0] == sampled[1]
    assert len({tuple(each.values()) for each in sampled}) >= 3


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("median", "MedianPruner"),
        ("percentile", "PercentilePruner"),
        ("hyperband", "HyperbandPruner"),
        ("none", "NopPruner"),
    ],
)
def test_the_study_names_the_pruner(name, kind, tmp_path):
    assert type(make_pruner(plan(tmp_path, pruner=name))).__name__ == kind
