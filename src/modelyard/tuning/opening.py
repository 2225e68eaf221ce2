"""The study to search in or to look at: the latest of its name, a new one, or a refusal."""

import optuna

from modelyard.core.errors import ModelyardError
from modelyard.params.study import baseline_values, storage_label
from modelyard.tuning import retries, storage
from modelyard.tuning.plan import Plan
from modelyard.tuning.storage import Place


def latest(name: str, place: Place) -> optuna.Study:
    """The study of a name that was begun last, to look at.

    Raises:
        ModelyardError: there is none of ours, or the storage does not answer.
    """
    with place.explained():
        opened = place.open()
        known = storage.latest(name, opened)
        if known is None:
            raise ModelyardError(f"{place.shown} holds no study {name} yet. Begin it: modelyard tune {name}")
        study = optuna.load_study(study_name=known, storage=opened)
        if "space" not in study.user_attrs:
            raise ModelyardError(f"{place.shown}: study {known} was begun by another program. Name another storage.")
        return study


def take_up(plan: Plan, place: Place, new: bool = False, join: bool = False) -> optuna.Study:
    """The study to search in: the latest of its name, or a new one whose trial 0 is the experiment as it is.

    Raises:
        ModelyardError: its space is another than the plan's, there is none to join, or the storage does not answer.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # each trial's end is told by who watches
    with place.explained():
        opened = place.open()
        known = storage.latest(plan.name, opened)
        if join and known is None:
            raise ModelyardError(f"{place.shown} holds no study {plan.name} to join: begin it without --join.")
        if known is None or new:
            return _begun(plan, opened, storage.following(known, plan.name))
        study = optuna.load_study(study_name=known, storage=opened)
        _refuse_another_space(study, plan)
        retries.set_stale_aside(study, everywhere=place.is_journal and not join)
        return study


def _begun(plan: Plan, opened: optuna.storages.BaseStorage, name: str) -> optuna.Study:
    try:
        study = optuna.create_study(study_name=name, storage=opened, direction=plan.direction)
    except optuna.exceptions.DuplicatedStudyError:
        raise ModelyardError(
            f"study {name} was begun by another at this very moment: modelyard tune {plan.name} --join"
        ) from None
    attributes = {"experiment": plan.study.experiment, "metric": plan.metric, "space": plan.space}
    for key, value in attributes.items():
        study.set_user_attr(key, value)
    values = baseline_values(plan.study, plan.experiment)
    study.enqueue_trial({key: storage_label(value) for key, value in values.items()})
    return study


def _refuse_another_space(study: optuna.Study, plan: Plan) -> None:
    told = storage.difference(study.user_attrs.get("space", {}), plan.space)
    if told:
        raise ModelyardError(
            f"study {study.study_name} was begun with another search space; its scores and new ones cannot be "
            "compared:\n  " + "\n  ".join(told) + f"\nChange params.yaml back, or begin another beside it: "
            f"modelyard tune {plan.name} --new"
        )
