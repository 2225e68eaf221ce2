"""Studies as `modelyard tune` creates them, in memory, with created-up trials: nothing is trained."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from modelyard import params
from modelyard.tuning.plan import sample_settings
from support.paths import PARAMS

VARY = {
    "model.filters": {"choices": [[16, 32], [32, 64]]},
    "training.epochs": {"low": 2, "high": 6, "step": None, "log": False},
    "training.learning_rate": {"low": 0.0001, "high": 0.1, "step": None, "log": True},
}
DISTRIBUTIONS = {
    "model.filters": CategoricalDistribution(("[16, 32]", "[32, 64]")),
    "training.epochs": IntDistribution(2, 6),
    "training.learning_rate": FloatDistribution(0.0001, 0.1, log=True),
}
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
STARTED = datetime(2026, 11, 21, 12, 0, 0)


def trial(
    curve: list[float],
    state: TrialState = TrialState.COMPLETE,
    filters: str = "[32, 64]",
    epochs: int = 4,
    rate: float = 0.001,
    size: float | None = None,
    read_off: int | None = None,
    **attributes: Any,
) -> FrozenTrial:
    """A trial with the score of each epoch, of two seconds; with a size it is one of two metrics, without a curve.

    Its number of epochs is a value that it was given, or was read off its curve.
    """
    values = {"model.filters": filters, "training.epochs": epochs, "training.learning_rate": rate}
    if read_off is not None:
        del values["training.epochs"]
        attributes |= {"epochs_read_off": read_off} if state is TrialState.COMPLETE else {}
    created = create_trial(
        state=state,
        values=[*curve[-1:], *([] if size is None else [size])] if state in ENDED else None,
        params=values,
        distributions={name: DISTRIBUTIONS[name] for name in values},
        intermediate_values=dict(enumerate(curve, start=1)) if size is None else {},
        user_attrs={"epochs": len(curve), "epochs_planned": epochs, "seconds": 2.0 * len(curve), "worker": "a:1:2"}
        | attributes,
    )
    created.datetime_start = STARTED
    created.datetime_complete = None if state is TrialState.RUNNING else STARTED + timedelta(seconds=2 * len(curve))
    return created


COMPACT = trial([0.8], size=1000, rate=0.01)
LARGE = trial([0.95], size=9000, filters="[16, 32]")
BEATEN = trial([0.9], size=9500, rate=0.002)
BASELINE = trial([0.80, 0.85, 0.88, 0.90])
BEST = trial([0.81, 0.88, 0.91, 0.93, 0.94], filters="[16, 32]", epochs=5, rate=0.01)
PRUNED = trial([0.40, 0.41], TrialState.PRUNED, epochs=6, rate=0.09)
FAILED = trial([0.5], TrialState.FAIL, rate=0.0002, reason="MemoryError: no room for 4 GB\nTraceback | and more")
KILLED = trial([], TrialState.FAIL, epochs=3)
WORSE = trial([0.6, 0.7, 0.8], epochs=3, rate=0.0005)
SPOILT = trial([], TrialState.FAIL)
ALL = (BASELINE, BEST, PRUNED, FAILED, KILLED, WORSE)


def study(*trials: FrozenTrial, name: str = "digits_cnn", maximize: bool = True, file: Path = PARAMS) -> optuna.Study:
    """A study with these trials, of the experiment digits_cnn of a params.yaml; of two metrics if its trials are."""
    project = params.load(file)
    space = {
        "experiment": project.all_experiments["digits_cnn"].model_dump(mode="json"),
        **sample_settings(project, [project.all_experiments["digits_cnn"].input]),
        "search_space": VARY,
        "folds": None,
        "training_samples": None,
        "metric": "val_accuracy",
    }
    directions = ["maximize" if maximize else "minimize"]
    if any(len(each.values or ()) > 1 for each in trials):
        directions, space = [*directions, "minimize"], {**space, "metrics": ["accuracy", "parameters"]}
    created = optuna.create_study(study_name=name, directions=directions)
    for key, value in {"experiment": "digits_cnn", "metric": "val_accuracy", "space": space}.items():
        created.set_user_attr(key, value)
    created.add_trials(trials)
    return created


def confirmed(best: int, *others: int, gain: float = 0.02) -> dict[str, Any]:
    """What replication.confirmation found: these trials, the best first, and a baseline of 0.9 on average."""
    difference = {"mean": gain, "sd": 0.01, "low": gain - 0.01, "high": gain + 0.01}
    candidates = [
        {"trial": number, "values": [0.9 + gain] * 5, "mean": 0.9 + gain, "difference": difference, "p_value": 0.004}
        for number in (best, *others)
    ]
    baseline = {"values": [0.9] * 5, "mean": 0.9}
    return {"seeds": [778, 779, 780, 781, 782], "baseline": baseline, "candidates": candidates}


def with_tuned(confirmation: dict[str, Any], mean: float) -> dict[str, Any]:
    """A confirmation with digits_cnn_tuned of an earlier search."""
    values = {"values": [mean] * 5, "mean": mean, "difference": confirmation["candidates"][0]["difference"]}
    return confirmation | {"tuned": {"experiment": "digits_cnn_tuned", **values}}
