"""What DVC refuses is reported with the file, the line and what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.core.errors import ModelyardError
from modelyard.orchestration.dvc_errors import explain_dvc_errors
from modelyard.orchestration.scheduler import Pipeline

STAGES = """\
stages:
  part:
    foreach: ${parts}
    do:
      cmd: echo ${item} > ${key}
      outs:
        - ${key}
  join:
    cmd: cat a > joined
    deps: [a]
    outs: [joined]
"""
PARAMS = "parts: {a: 1}\n"
LOCK = """\
schema: '2.0'
stages:
  join:
    cmd: cat a > joined
    outs:
    - path: joined
      hash: md5
      md5: 0123456789abcdef0123456789abcdef
"""
CONFLICT = "<<<<<<< HEAD\n      md5: 0\n=======\n      md5: 1\n>>>>>>> other\n"
MakeProject = Callable[[str, str], Path]


@pytest.fixture
def refusal(make_project: MakeProject) -> Callable[..., str]:
    """The error of a project with these files; each is STAGES, PARAMS and LOCK unless given."""

    def read(stages: str = STAGES, params: str = PARAMS, lock: str | bytes = LOCK, target: str = "join") -> str:
        root = make_project(stages, params)
        (root / "dvc.lock").write_bytes(lock if isinstance(lock, bytes) else lock.encode())
        with pytest.raises(ModelyardError) as raised:
            Pipeline(root, [target]).find_unchanged()
        return str(raised.value)

    return read


@pytest.mark.parametrize(
    ("files", "parts"),
    [  # pairs of a file and the texts that its error has
        ({"lock": LOCK + CONFLICT}, ["dvc.lock, line 9: unresolved merge conflict", "git checkout --ours dvc.lock"]),
        ({"params": PARAMS + CONFLICT}, ["params.yaml, line 2: unresolved merge conflict"]),
        ({"stages": STAGES + CONFLICT}, ["dvc.yaml, line 12: unresolved merge conflict"]),
        ({"stages": STAGES.replace("deps: [", "deps: a: [")}, ["dvc.yaml, line 10: this is not valid YAML"]),
        ({"stages": STAGES.replace("deps", "depz")}, ["join.depz: extra keys not allowed (line 10)", "HEAD -- dvc"]),
        ({"stages": STAGES.replace("${parts}", "${past}")}, ["part.foreach", "find 'past' (line 3). Correct"]),
        ({"stages": STAGES.replace("[a]", "[joined]")}, ["a dependency and an output in stage: join. Correct"]),
        ({"stages": "- a\n"}, ["validation failed: the file: expected a dictionary. Correct dvc.yaml"]),
        ({"target": "jion"}, ["Stage 'jion' not found inside 'dvc.yaml' file"]),
        ({"lock": ""}, ["schema: required key not provided (line 1). Restore it from git"]),
        ({"lock": LOCK.partition("h: joined")[0]}, ["dvc.lock", "line 6", "Restore it from git"]),
        ({"lock": b"\xff\xfe\0"}, ["dvc.lock: not text in UTF-8"]),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_file_is_named_with_its_line_and_what_to_do(
    files: dict[str, str | bytes], parts: list[str], refusal: Callable[..., str]
) -> None:
    text = refusal(**files)
    assert all(part in text for part in parts), text


BATCHES = """\
  batch:
    foreach: ${batches}
    do:
      cmd: echo 1 > ${item.output}
      outs:
        - ${item.output}
"""


@pytest.mark.parametrize(
    ("output", "said"),
    [("joined", "output 'joined' is specified in"), ("folder/x.csv", "'folder/x.csv'('batch@one')")],
)
def test_a_batch_that_writes_what_another_stage_writes_is_to_get_another_output(
    output: str, said: str, refusal: Callable[..., str]
) -> None:
    folder = "  fill:\n    cmd: mkdir folder\n    outs: [folder]\n"
    text = refusal(STAGES + folder + BATCHES, f"{PARAMS}batches:\n  one: {{output: {output}}}\n")
    assert said in text
    assert text.endswith("Give batches.one in params.yaml another `output`, such as predictions/one.csv")
    assert not any(wrong in text for wrong in ("dvc remove", "tracked individually", "Correct dvc.yaml"))


def test_a_folder_without_dvc_says_where_to_run(make_project: MakeProject) -> None:
    root = make_project(STAGES, PARAMS)
    (root / ".dvc").rename(root / "dvc")
    with pytest.raises(ModelyardError, match=r"Run from the folder that holds dvc\.yaml"):
        Pipeline(root)


def test_an_unknown_hash_in_the_lock_is_named_with_what_to_do(make_project: MakeProject) -> None:
    root = make_project(STAGES, PARAMS)
    (root / "dvc.lock").write_text(LOCK.replace("hash: md5", "hash: md7"))
    (root / "joined").touch()
    with pytest.raises(ModelyardError, match=r"dvc\.lock names a `hash` that DVC does not know\. Restore it from git"):
        Pipeline(root, ["join"]).find_unchanged()


def test_what_no_file_of_the_pipeline_is_to_blame_for_has_no_advice_to_restore_one(tmp_path: Path) -> None:
    from dvc.exceptions import DownloadError

    with pytest.raises(ModelyardError, match=r"^DVC: 2 files failed to download\.$"), explain_dvc_errors(tmp_path):
        raise DownloadError(2)
