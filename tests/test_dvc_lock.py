"""The committed dvc.lock: its results are of the code and the settings beside it."""

from functools import cache

from support.paths import PARAMS, ROOT

from modelyard.core.config import flatten, read_yaml
from modelyard.orchestration import dvc_lock

STAGES = dvc_lock.read(ROOT)
REBUILD = "run `modelyard run`, and commit dvc.lock with the results"


@cache
def md5(path: str) -> str:
    folder = ROOT / path
    return dvc_lock.md5(folder, dvc_lock._ignored(folder, ROOT))


def test_its_results_are_of_this_code():
    code = {
        (path, recorded)
        for stage in STAGES.values()
        for path, recorded in stage.deps.items()
        if path.startswith(("pipeline/", "src/"))
    }
    assert len(code) > 50
    assert sorted(path for path, recorded in code if md5(path) != recorded) == [], REBUILD


def test_its_results_are_of_these_settings():
    given = flatten(read_yaml(PARAMS))
    recorded = {key: value for stage in STAGES.values() for key, value in stage.params.items()}
    absent = {key: value for key, value in recorded.items() if key not in given}
    assert set(absent.values()) <= {None}, "a key that is left out counts as null"
    assert {key: value for key, value in recorded.items() if given.get(key) != value} == {}, REBUILD
