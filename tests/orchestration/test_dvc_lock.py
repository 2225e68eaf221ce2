"""What DVC locked, read from lock files that DVC itself wrote."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

from modelyard.core.errors import ModelyardError
from modelyard.orchestration import dvc_lock
from modelyard.params.project import EXPERIMENT_SECTIONS

STAGES = """
stages:
  train:
    foreach: [one]
    do:
      {wdir}
      cmd: mkdir -p results/{name}/model/part && cp raw.txt results/{name}/model/a.txt && cp raw.txt results/{name}/model/part/b.txt
      deps: [raw.txt, test]
      outs: [results/{name}/model]
  evaluate:
    foreach: [one]
    do:
      {wdir}
      cmd: cat test/* > {name}.txt
      deps: [test, results/{name}/model]
      outs: [{name}.txt]
"""  # noqa: E501


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project with a model in each of two dvc.yaml files, built by DVC."""
    root = tmp_path_factory.mktemp("project")
    (root / "test").mkdir()
    (root / "pretrained").mkdir()
    (root / "raw.txt").write_text("raw\r\n")
    (root / "test" / "x.npy").write_text("test rows")
    (root / "dvc.yaml").write_text(STAGES.format(wdir="", name="one"))
    (root / "pretrained" / "dvc.yaml").write_text(STAGES.format(wdir="wdir: ..", name="other"))
    for command in (["init", "-q", "--no-scm"], ["repro", "-q", "dvc.yaml", "pretrained/dvc.yaml"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=root, check=True)
    return root


@pytest.fixture
def tampered(project: Path):
    """The model's file with a byte more, for one test."""
    file = project / "results" / "one" / "model" / "part" / "b.txt"
    content = file.read_bytes()
    file.write_bytes(content + b"!")
    yield file
    file.write_bytes(content)


def test_every_locked_file_and_folder_has_the_md5_that_dvc_wrote(project: Path) -> None:
    stages = dvc_lock.locked(project)
    assert sorted(stages) == [
        "evaluate@one", "pretrained/dvc.yaml:evaluate@one", "pretrained/dvc.yaml:train@one", "train@one"
    ]  # fmt: skip
    for stage in stages.values():
        for path, md5 in (stage.deps | stage.outs).items():
            assert dvc_lock.md5(project / path) == md5
    assert stages["train@one"].deps.keys() == {"raw.txt", "test"}
    assert stages["train@one"].outs.keys() == {"results/one/model"}
    assert stages["evaluate@one"].command == "cat test/* > one.txt"


@pytest.mark.parametrize("section, name", [("experiments", "one"), ("pretrained", "other")])
def test_an_untouched_model_and_its_test_rows_are_found(section: str, name: str, project: Path) -> None:
    assert dvc_lock.model_of(section, "one", project) == project / "results" / name / "model"
    assert dvc_lock.test_rows_of(section, "one", project) == project / "test"


def test_a_changed_model_is_refused_with_both_md5s_and_what_to_do(project: Path, tampered: Path) -> None:
    expected = dvc_lock.locked(project)["train@one"].outs["results/one/model"]
    with pytest.raises(ModelyardError) as refused:
        dvc_lock.model_of("experiments", "one", project)
    said = str(refused.value)
    for part in (expected, dvc_lock.md5(tampered.parent.parent), "dvc checkout --force results/one/model"):
        assert part in said


@pytest.mark.parametrize("change", ["another file", "a file less", "a renamed file"])
def test_a_folder_with_other_files_has_another_md5(change: str, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    before = dvc_lock.md5(tmp_path)
    if change == "another file":
        (tmp_path / "c.txt").touch()
    elif change == "a file less":
        (tmp_path / "b.txt").unlink()
    else:
        (tmp_path / "b.txt").rename(tmp_path / "c.txt")
    assert dvc_lock.md5(tmp_path) != before


def test_what_was_never_built_is_told_with_the_command_that_builds_it(project: Path, tmp_path: Path) -> None:
    for root in (project, tmp_path):
        with pytest.raises(ModelyardError, match=r"dvc\.lock has no train@two: it was never built"):
            dvc_lock.model_of("experiments", "two", root)


def test_a_model_that_is_not_here_is_told_with_the_command_that_brings_it(project: Path) -> None:
    folder = project / "results" / "one" / "model"
    folder.rename(folder.with_name("elsewhere"))
    try:
        with pytest.raises(ModelyardError, match=r"model is not here\. Bring it: dvc checkout results"):
            dvc_lock.model_of("experiments", "one", project)
    finally:
        folder.with_name("elsewhere").rename(folder)


@pytest.mark.parametrize("names", [dvc_lock.TRAININGS, dvc_lock.EVALUATIONS])
def test_each_section_of_experiments_has_its_stages_in_dvc_yaml(names: dict[str, str]) -> None:
    assert set(names) == set(EXPERIMENT_SECTIONS)
    for section, beginning in names.items():
        file, _, group = beginning.rpartition(":")
        stages = YAML(typ="safe").load(ROOT / (file or "dvc.yaml"))["stages"]
        assert stages[group.removesuffix("@")]["foreach"] == f"${{{section}}}"
