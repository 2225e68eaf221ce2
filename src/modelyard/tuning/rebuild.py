"""A study as part of a rebuild: by one worker, so that the same search comes again."""

from pathlib import Path

import optuna

from modelyard.params.project import Project
from modelyard.tuning import opening, plan, search, storage
from modelyard.tuning.plan import Plan
from modelyard.tuning.storage import Place

STATE, BEGUN, DONE = "rebuild", "begun", "done"


def rebuild(project: Project, name: str, folder: Path, watch: search.Watch) -> optuna.Study:
    """Search anew, beside whatever study of this name there is; a rebuild that was stopped goes on where it was.

    Raises:
        ModelyardError: the storage does not answer, or the same failure comes too often.
    """
    made = plan.make(project, name, project.runtime.threads, folder)
    place = storage.place_of(name, None, folder)
    study = opening.take_up(made, place, new=not _was_stopped(made, place))
    study.set_user_attr(STATE, BEGUN)
    search.Search(study, place, made, watch).run(1, search.Budget(made.study.trials, made.study.seconds))
    study.set_user_attr(STATE, DONE)
    return study


def _was_stopped(made: Plan, place: Place) -> bool:
    """Whether the latest study is a rebuild of this very search that has not come to its end."""
    with place.explained():
        opened = place.open()
        known = storage.latest(made.name, opened)
        told = optuna.load_study(study_name=known, storage=opened).user_attrs if known else {}
    return told.get(STATE) == BEGUN and not storage.difference(told["space"], made.space)
