"""What the runner writes into dvc.lock, against what DVC writes."""

import shutil
from contextlib import chdir
from pathlib import Path

import pytest
from dvc.repo import Repo, lock_repo
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from support.pipelines import init_dvc

from modelyard.orchestration.dvc_lock import START
from modelyard.orchestration.lock_writer import with_entry, write_entry

STAGES = """
stages:
  "yes": {cmd: echo one > one, outs: [one]}
  words: {cmd: "echo two > two # a command so long that YAML has to break its line somewhere: isn't it, or is it?", outs: [two]}
  lines: {cmd: "echo three > three\\n\\n  echo not a stage:\\n", outs: [three], deps: [one], params: [limits]}
  each: {foreach: [x, 1], do: {cmd: "echo ${item} > ${item}.out", outs: ["${item}.out": {cache: false}]}}
"""  # noqa: E501
PARAMS = "limits: {low: 0.1, names: [one, 'yes', null], empty: {}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    init_dvc(root)
    (root / "dvc.yaml").write_text(STAGES)
    (root / "params.yaml").write_text(PARAMS)
    return root


def reproduce(root: Path, *names: str) -> bytes:
    """The lock file after DVC reproduced stages one after the other."""
    for name in names:
        with chdir(root), Repo(str(root)) as repo:
            repo.reproduce(name, single_item=True)
    return (root / "dvc.lock").read_bytes()


def reproduce_and_record(root: Path, *names: str) -> bytes:
    """The same, recorded by us."""
    for name in names:
        with chdir(root), Repo(str(root)) as repo, lock_repo(repo):
            (stage,) = repo.stage.collect(name)
            stage.reproduce()
            write_entry(stage)
    return (root / "dvc.lock").read_bytes()


def test_the_lock_is_dvcs_own_to_the_byte(project, tmp_path):
    names = ("yes", "words", "lines", "each@x", "each@1")
    other = shutil.copytree(project, tmp_path / "other")
    ours = reproduce_and_record(project, *names)
    assert ours == reproduce(other, *names)
    for root in (project, other):
        (root / "params.yaml").write_text(PARAMS.replace("0.1", "1e-7"))
    ours = reproduce_and_record(project, "lines", "words")
    assert ours == reproduce(other, "lines", "words")


def test_a_lock_that_holds_more_than_stages_is_left_to_dvc(project):
    (project / "dvc.lock").write_text("schema: '2.0'\ndatasets: []\nstages: {}\n")
    assert b"datasets: []" in reproduce_and_record(project, "words")
    with chdir(project), Repo(str(project)) as repo:
        assert repo.status(["words"]) == {}


def test_a_lock_whose_stages_refer_to_each_other_stays_readable(project):
    reproduce_and_record(project, "yes", "lines")
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    shared = yaml.load(project / "dvc.lock")
    shared["stages"]["lines"]["deps"] = shared["stages"]["yes"]["outs"]  # the same object: dumped as an alias
    yaml.dump(shared, project / "dvc.lock")
    assert "*id001" in (project / "dvc.lock").read_text()
    reproduce_and_record(project, "words", "lines")
    with chdir(project), Repo(str(project)) as repo:
        assert repo.status(["yes", "words", "lines"]) == {}


def test_a_lock_that_cannot_be_replaced_stays_whole(project, monkeypatch):
    before = reproduce_and_record(project, "words")

    def full(self: Path, *arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        reproduce_and_record(project, "yes")
    assert (project / "dvc.lock").read_bytes() == before


NAMES = st.lists(st.from_regex(r"[a-z]{1,3}(@[a-z]{1,2})?", fullmatch=True), unique=True, min_size=1, max_size=5)


@given(names=NAMES, data=st.data())
def test_only_the_lines_of_one_stage_change(names, data):
    entries = {name: f"  {name}:\n    cmd: |-\n      first\n\n      {name}:\n    outs: []\n" for name in names}
    chosen = data.draw(st.sampled_from(names))
    changed = entries | {chosen: f"  {chosen}:\n    cmd: changed\n"}
    assert with_entry(START + "".join(entries.values()), changed[chosen]) == START + "".join(changed.values())
