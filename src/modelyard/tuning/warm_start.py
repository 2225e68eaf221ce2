"""A new study begins with the best trials of an earlier one, as far as its search space allows their values."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from modelyard.core.errors import ModelyardError
from modelyard.params.study import EPOCHS, storage_label
from modelyard.tuning.plan import Plan
from modelyard.tuning.results import StudyResults, read_study
from modelyard.tuning.storage import StudyStorage, earlier_name, latest_name

SOURCE = "warm_start"  # the attribute of an enqueued trial: the study and the trial that it comes from


def enqueue_best(study: optuna.Study, plan: Plan, storage: StudyStorage) -> list[str]:
    """Enqueue the best trials of the study of `warm_start` after the baseline, unless this study has begun.

    Where it is the study itself, the one before it is meant. Settings that the new space does not have or allow are
    sampled as in any other trial.

    Returns:
        The trials that were enqueued, as `<study>, trial <number>`.

    Raises:
        ModelyardError: the study of `warm_start` has no finished trial.
    """
    if not plan.study.warm_start or [trial.state for trial in study.get_trials(deepcopy=False)] != [TrialState.WAITING]:
        return []
    with storage.explain_errors():
        earlier, enqueued = _find_earlier(study, plan, plan.study.warm_start, storage), list[str]()
        for trial in earlier.candidates:
            values = _allowed_values(earlier.settings_of(trial), plan)
            if values and not _is_waiting(study, values):
                source = f"{earlier.name}, trial {trial.number}"
                study.enqueue_trial(values, user_attrs={SOURCE: source})
                enqueued.append(source)
        return enqueued


def _find_earlier(study: optuna.Study, plan: Plan, wanted: str, storage: StudyStorage) -> StudyResults:
    opened, journal = storage.open(), Path(storage.address).with_name(f"{wanted}.journal")
    name = earlier_name(study.study_name, opened) if wanted == plan.name else latest_name(wanted, opened)
    if name is None and wanted != plan.name and storage.is_journal and journal.exists():
        opened = replace(storage, address=str(journal)).open()
        name = latest_name(wanted, opened)
    found = optuna.load_study(study_name=name, storage=opened) if name else None
    results = read_study(found) if found and "space" in found.user_attrs else None  # else it is of another program
    if results is None or not results.candidates:
        raise ModelyardError(
            f"studies.{plan.name}.warm_start: study {wanted} has no finished trial besides its baseline in "
            f"{storage.safe_address} or beside it. Run it first, modelyard tune {wanted}, or remove `warm_start`."
        )
    return results


def _allowed_values(settings: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """The values that the search space allows, as Optuna stores them; no number of epochs that is read off."""
    space = plan.study.search_space
    return {
        key: storage_label(value)
        for key, value in settings.items()
        if key in space and space[key].holds(value) and not (key == EPOCHS and plan.epochs_to_compare)
    }


def _is_waiting(study: optuna.Study, values: dict[str, Any]) -> bool:
    """Whether a waiting trial, such as the baseline, has all of these values."""
    waiting = [trial.system_attrs["fixed_params"] for trial in study.get_trials(deepcopy=False)]
    return any(values.items() <= given.items() for given in waiting)
