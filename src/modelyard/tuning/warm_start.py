"""A new study begins with the best trials of an earlier one, as far as its search space allows their values."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from modelyard.core.errors import ModelyardError
from modelyard.params.study import EPOCHS, storage_label
from modelyard.tuning.plan import Plan
from modelyard.tuning.results import StudyResults, read_study
from modelyard.tuning.storage import StudyStorage, names_of

SOURCE = "warm_start"  # the attribute of an enqueued trial: the study and trial that it comes from, for dashboards


def find_earlier(study: optuna.Study | None, plan: Plan, storage: StudyStorage) -> StudyResults | None:
    """Find the study whose best trials are to be tried after the baseline; None where there is none or it is too late.

    It is the latest one of `warm_start` that has a trial to begin with. Where `warm_start` names the study's own entry,
    the first study of the entry begins from nothing.

    Args:
        study: the study to search in; None where it is yet to be created.
        plan: what is searched.
        storage: where studies are.

    Raises:
        ModelyardError: no study of another entry has a finished trial.
    """
    wanted = plan.study.warm_start
    if not wanted:
        return None
    with storage.explain_errors():
        if study and [trial.state for trial in study.get_trials(deepcopy=False)] != [TrialState.WAITING]:
            return None
        found = _latest_with_candidates(wanted, storage.open())
        beside = Path(storage.address).with_name(f"{wanted}.journal")
        if found is None and wanted != plan.name and storage.is_journal and beside.exists():
            found = _latest_with_candidates(wanted, replace(storage, address=str(beside)).open())
    if found is None and wanted != plan.name:
        raise ModelyardError(
            f"studies.{plan.name}.warm_start: study {wanted} has no finished trial besides its baseline in "
            f"{storage.safe_address} or beside it. Run it first, modelyard tune {wanted}, or remove `warm_start`."
        )
    return found


def enqueue_best(study: optuna.Study, plan: Plan, earlier: StudyResults) -> list[str]:
    """Enqueue the best trials of an earlier study after the baseline of a new one.

    Settings that the new space does not have or allow are sampled as in any other trial.

    Returns:
        The trials that were enqueued, as `<study>, trial <number>`.
    """
    enqueued: list[str] = []
    for trial in earlier.candidates:
        values = _allowed_values(earlier.settings_of(trial), plan)
        if values and not _is_waiting(study, values):
            source = f"{earlier.name}, trial {trial.number}"
            study.enqueue_trial(values, user_attrs={SOURCE: source})
            enqueued.append(source)
    return enqueued


def _latest_with_candidates(entry: str, opened: BaseStorage) -> StudyResults | None:
    studies = (optuna.load_study(study_name=name, storage=opened) for name in names_of(entry, opened))
    found = (read_study(study) for study in studies if "space" in study.user_attrs)  # else it is of another program
    return next((results for results in found if results.candidates), None)


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
