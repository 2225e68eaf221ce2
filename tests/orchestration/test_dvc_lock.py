"""Lock files that DVC itself wrote: their MD5s, and the outputs that still match them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.core.config import parse_yaml
from modelyard.core.errors import ModelyardError
from modelyard.orchestration import dvc_lock

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
    stages = dvc_lock.read(project)
    assert sorted(stages) == [
        "evaluate@one", "pretrained/dvc.yaml:evaluate@one", "pretrained/dvc.yaml:train@one", "train@one"
    ]  # fmt: skip
    for stage in stages.values():
        for path, md5 in (stage.deps | stage.outs).items():
            assert dvc_lock.md5(project / path) == md5
    assert stages["train@one"].deps.keys() == {"raw.txt", "test"}
    assert stages["train@one"].outs.keys() == {"results/one/model"}


@pytest.mark.parametrize("is_plain", [True, False])
def test_the_names_are_those_of_all_stages(is_plain: bool, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dvc_lock, "is_plain", lambda _: is_plain)
    assert dvc_lock.names(project) == dvc_lock.read(project).keys()


def test_single_stages_are_read_without_parsing_the_others(project: Path, monkeypatch) -> None:
    names = ["train@one", "pretrained/dvc.yaml:train@one", "train@none"]
    everything = dvc_lock.read(project)
    parsed = []
    monkeypatch.setattr(dvc_lock, "parse_yaml", lambda text, path: parsed.append(text) or parse_yaml(text, path))
    assert dvc_lock.read(project, names) == {name: everything[name] for name in names[:2]}
    assert "evaluate" not in "".join(parsed)


def test_single_stages_of_a_lock_with_aliases_are_read(tmp_path: Path) -> None:
    entries = "  a:\n    outs: &shared\n    - path: x\n      md5: '1'\n  b:\n    outs: *shared\n"
    (tmp_path / "dvc.lock").write_text(dvc_lock.START + entries)
    assert dvc_lock.read(tmp_path, ["b"])["b"].outs == {"x": "1"}


@pytest.mark.parametrize("prefix, name", [("", "one"), ("pretrained/dvc.yaml:", "other")])
def test_an_untouched_model_and_its_test_samples_are_verified(prefix: str, name: str, project: Path) -> None:
    assert dvc_lock.verified_output(f"{prefix}train@one", "model", project) == project / "results" / name / "model"
    assert dvc_lock.verified_dependency(f"{prefix}evaluate@one", "test", project) == project / "test"


def test_a_changed_model_is_refused_with_both_md5s_and_what_to_do(project: Path, tampered: Path) -> None:
    expected = dvc_lock.read(project)["train@one"].outs["results/one/model"]
    with pytest.raises(ModelyardError) as refused:
        dvc_lock.verified_output("train@one", "model", project)
    message = str(refused.value)
    for part in (expected, dvc_lock.md5(tampered.parent.parent), "dvc checkout --force results/one/model"):
        assert part in message


def test_files_that_dvc_ignores_are_refused_by_name_with_the_command_that_deletes_them(
    project: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(project, tmp_path / "project")
    (root / ".dvcignore").write_text("# Only what can change a result counts.\n.DS_Store\n__pycache__/\n")
    model = root / "results" / "one" / "model"
    (model / "part" / "__pycache__").mkdir()
    for name in (".DS_Store", "part/__pycache__/a.pyc"):
        (model / name).touch()
    with pytest.raises(ModelyardError) as refused:
        dvc_lock.verified_output("train@one", "model", root)
    assert str(refused.value) == (
        "results/one/model was refused: it has files that the pipeline did not make. Delete them: "
        "rm results/one/model/.DS_Store results/one/model/part/__pycache__/a.pyc"
    )
    (model / "a.txt").write_text("edited")
    with pytest.raises(ModelyardError, match="dvc checkout --force results/one/model"):
        dvc_lock.verified_output("train@one", "model", root)


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


def test_a_stage_that_was_never_built_is_refused_with_the_command_that_builds_it(project: Path, tmp_path: Path) -> None:
    for root in (project, tmp_path):
        with pytest.raises(ModelyardError, match=r"dvc\.lock has no train@two: it was never built"):
            dvc_lock.verified_output("train@two", "model", root)


def test_a_missing_model_is_refused_with_the_command_that_brings_it(project: Path, tmp_path: Path) -> None:
    root = shutil.copytree(project, tmp_path / "project")
    shutil.rmtree(root / "results" / "one" / "model")
    expected = "results/one/model is not here. Build it: modelyard run one"
    for command in ([], ["remote", "add", "--local", "-d", "storage", str(tmp_path / "100%")]):
        if command:
            subprocess.run([sys.executable, "-m", "dvc", *command, "-q"], cwd=root, check=True)
            expected += ", or bring it: dvc pull results/one/model"
        with pytest.raises(ModelyardError, match=f"^{re.escape(expected)}$"):
            dvc_lock.verified_output("train@one", "model", root)


@pytest.mark.parametrize("text", ["", "schema: '2.0'\n", "schema: '2.0'\nstages:\n"])
def test_a_lock_without_stages_has_none(text: str) -> None:
    assert dvc_lock.parse(text, Path("dvc.lock")) == {}


@pytest.mark.parametrize("text", ["- a\n", "stages: [a]\n", "stages:\n  a:\n    outs:\n    - md5: b\n"])
def test_a_lock_that_dvc_did_not_write_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(ModelyardError, match=r"^dvc\.lock: not what DVC writes\. Restore it from git"):
        dvc_lock.parse(text, Path("dvc.lock"))


def test_a_broken_lock_is_refused_with_its_path() -> None:
    with pytest.raises(ModelyardError, match=r"sub/dvc\.lock, line 1: this is not valid YAML"):
        dvc_lock.parse("stages: [", Path("sub/dvc.lock"))


def test_the_values_of_parameters_have_dotted_keys():
    text = (
        f"{dvc_lock.START}  train@x:\n    cmd: run\n    params:\n      params.yaml:\n        runtime: {{threads: 4}}\n"
    )
    assert dvc_lock.parse(text, Path("dvc.lock"))["train@x"].params == {"runtime.threads": 4}
