"""A search as part of a rebuild: anew each time, on from where it was when it was stopped."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from optuna import Study
from optuna.trial import TrialState
from support import searches
from support.studies import PARAMS

from modelyard import params
from modelyard.tuning import plan, rebuild
from modelyard.tuning.worker import Ended


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose one study is the made-up search of four trials."""
    searches.save_rows(tmp_path)
    monkeypatch.setattr(plan, "make", lambda project, name, threads, folder: searches.plan(folder))
    monkeypatch.delenv("MODELYARD_OPTUNA_STORAGE", raising=False)
    return tmp_path


def rebuilt(folder: Path, stop_after: int | None = None) -> Study:
    ended: list[Ended] = []

    def watch(_: Sequence, now: Sequence[Ended]) -> None:
        ended.extend(now)
        if len(ended) == stop_after:
            ended.append(ended[-1])  # stop once
            raise KeyboardInterrupt

    return rebuild.rebuild(params.load(PARAMS), "made_up", folder, watch)


def told(study: Study) -> list[tuple]:
    """What each finished trial tried, and its score."""
    finished = [trial for trial in study.trials if trial.state is TrialState.COMPLETE]
    return [(tuple(trial.params.items()), trial.value) for trial in finished]


def test_a_rebuild_searches_anew_goes_on_where_it_was_stopped_and_finds_the_same(folder: Path) -> None:
    first = rebuilt(folder)
    assert (first.study_name, len(told(first))) == ("made_up", 4)
    with pytest.raises(KeyboardInterrupt):
        rebuilt(folder, stop_after=2)
    second = rebuilt(folder)
    assert second.study_name == "made_up-2", "begun anew, and then gone on with"
    assert told(second) == told(first)
    assert rebuilt(folder).study_name == "made_up-3"
