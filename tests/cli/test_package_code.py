"""What a project's stages depend on of the installed package: derived from the repository's, kept up to date."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.commands import modelyard
from support.paths import ROOT

from modelyard.cli import package_code

PIPELINES = sorted(package_code.PIPELINES)


def stages(text: str) -> dict:
    """The stages of a dvc.yaml, each as what is done once or for each entry."""
    return {name: stage.get("do", stage) for name, stage in YAML(typ="safe").load(text)["stages"].items()}


def keys_of(stage: dict) -> list[str]:
    """The keys of package.yaml that a stage depends on."""
    (found,) = [each["pipeline/package.yaml"] for each in stage["params"] if isinstance(each, dict)]
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the files of the installed version."""
    package_code.take_over(tmp_path)
    return tmp_path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's code in the place of the installed one, to be edited."""
    copy = tmp_path / "modelyard"
    for file in package_code.PACKAGE.rglob("*.py"):
        target = copy / file.relative_to(package_code.PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    monkeypatch.setattr(package_code, "PACKAGE", copy)
    return copy


@pytest.mark.parametrize("path", PIPELINES)
def test_each_stage_depends_on_the_same_code_as_in_the_repository(path: str):
    ours, theirs = stages((ROOT / path).read_text()), stages(package_code.project_files()[path])
    assert ours.keys() == theirs.keys()
    for name, stage in ours.items():
        code = [dep for dep in stage["deps"] if dep.startswith("src/")]
        assert [f"src/modelyard/{key.replace('.', '/')}" for key in keys_of(theirs[name])] == [
            re.sub(r"\.py$", "", dep).replace("${item/model/family}", "${item.model.family}").replace(".", "/")
            for dep in code
        ], name
        assert [dep for dep in theirs[name]["deps"] if "src/" in dep] == []


@pytest.mark.parametrize("path", PIPELINES)
def test_all_else_of_a_stage_is_as_in_the_repository(path: str):
    ours, theirs = stages((ROOT / path).read_text()), stages(package_code.project_files()[path])
    for name, stage in ours.items():
        assert [dep for dep in stage["deps"] if not dep.startswith("src/")] == theirs[name]["deps"]
        assert stage.get("params", []) == theirs[name]["params"][:-1]
        rest = theirs[name].keys() - {"deps", "params"}
        assert rest == stage.keys() - {"deps", "params"}
        assert {key: stage[key] for key in rest} == {key: theirs[name][key] for key in rest}


def test_every_key_of_a_stage_is_in_package_yaml(project: Path):
    content = YAML(typ="safe").load(project / "pipeline" / "package.yaml")
    for path in PIPELINES:
        for stage in stages(package_code.project_files()[path]).values():
            for key in keys_of(stage):
                found = content
                for part in key.replace("${item.model.family}", "mlp").split("."):
                    found = found[part]


def test_the_scripts_are_those_of_the_repository(project: Path):
    for script in (ROOT / "pipeline").iterdir():
        if script.is_file():
            assert (project / "pipeline" / script.name).read_bytes() == script.read_bytes()


def test_nothing_is_written_into_a_project_whose_stages_depend_on_source_files(tmp_path: Path):
    (tmp_path / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    assert package_code.refresh(tmp_path) == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dvc.yaml"]


def test_an_unchanged_package_changes_nothing(project: Path):
    before = (project / "pipeline" / "package.yaml").stat().st_mtime_ns
    assert package_code.refresh(project) == ""
    assert (project / "pipeline" / "package.yaml").stat().st_mtime_ns == before


def test_changed_code_that_stages_depend_on_is_named(project: Path, package: Path):
    for name in ("models/families/mlp.py", "cli/ui.py"):
        (package / name).write_text("# another\n")
    changes = package_code.refresh(project)
    assert "what depends on code that has changed is built again (models.families.mlp)." in changes
    assert package_code.refresh(project) == ""


def test_changed_code_is_named_also_after_an_upgrade(project: Path, package: Path):
    (package / "models/families/mlp.py").write_text("# another\n")
    package_code.take_over(project)
    assert "(models.families.mlp)" in package_code.refresh(project)


def test_a_new_version_without_changed_code_says_so(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(package_code, "version", lambda _: "9.8.7")
    changes = package_code.refresh(project)
    assert changes.endswith("-> 9.8.7: no code that results depend on has changed.")
    assert "9.8.7" in (project / "pipeline" / "package.yaml").read_text()


@pytest.mark.parametrize("content", ["<<<<<<< ours\nversion: 1\n=======\n", "", "- a list\n", None])
def test_a_damaged_or_missing_package_yaml_is_written_again(project: Path, content: str | None):
    file = project / "pipeline" / "package.yaml"
    whole = file.read_text()
    file.unlink() if content is None else file.write_text(content)
    package_code.refresh(project)
    code = "version:", "  families:", "    mlp:"
    assert [line for line in whole.splitlines() if line.startswith(code)] == [
        line for line in file.read_text().splitlines() if line.startswith(code)
    ]


def test_files_of_an_earlier_version_are_replaced_and_edited_ones_are_kept(project: Path, monkeypatch):
    earlier = package_code.project_files()
    new = earlier | {path: f"{earlier[path]}# new\n" for path in ("pipeline/train.py", "pipeline/fetch.py")}
    monkeypatch.setattr(package_code, "project_files", lambda: new)
    assert package_code.refresh(project).endswith(
        "another pipeline/fetch.py, pipeline/train.py: run `modelyard upgrade`."
    )
    (project / "pipeline" / "fetch.py").write_text("mine\n")
    assert package_code.take_over(project) == (["pipeline/train.py"], ["pipeline/fetch.py"], [])
    assert (project / "pipeline" / "train.py").read_text() == new["pipeline/train.py"]
    assert (project / "pipeline" / "fetch.py").read_text() == "mine\n"
    assert (project / "pipeline" / "fetch.py.new").read_text() == new["pipeline/fetch.py"]
    assert package_code.refresh(project) == ""
    assert package_code.take_over(project) == ([], [], ["pipeline/fetch.py"])


def test_missing_files_are_written_again(project: Path, monkeypatch: pytest.MonkeyPatch):
    missing = ["dvc.yaml", "pipeline/evaluate.py", "pipeline/python"]
    for name in missing:
        (project / name).unlink()
    monkeypatch.chdir(project)
    assert modelyard("upgrade").output.splitlines() == [f"{name}: written" for name in missing]
    assert (project / "pipeline" / "evaluate.py").read_bytes() == (ROOT / "pipeline" / "evaluate.py").read_bytes()
    assert (project / "pipeline" / "python").stat().st_mode & 0o777 == 0o755
    assert "are those of the installed version" in modelyard("upgrade").output
    (project / "dvc.yaml").write_text("stages: {}\n")
    assert modelyard("upgrade").output == "dvc.yaml: edited here and kept; the installed version has no newer one\n"


@pytest.mark.parametrize(
    "name, text, todo",
    [
        ("requirements.lock", "mlflow==3.0\nmodelyard==9.8.7 \\\n    --hash=sha256:0\n", "make install"),
        ("pyproject.toml", '[project]\ndependencies = ["modelyard==9.8.7"]\n', "make lock && make install"),
    ],
)
def test_another_version_than_the_installed_one_is_named(project: Path, monkeypatch, name: str, text: str, todo: str):
    installed = package_code.version("modelyard")
    (project / name).write_text(text)
    expected = f"modelyard {installed} is installed, and {name} asks for 9.8.7: run `{todo}`."
    assert package_code.refresh(project) == expected
    monkeypatch.chdir(project)
    assert modelyard("upgrade").output.splitlines()[0] == expected
    (project / name).write_text(text.replace("9.8.7", installed))
    assert package_code.refresh(project) == ""


def test_no_template_has_a_name_that_dvc_takes_for_a_pipeline_of_this_repository() -> None:
    assert not [path for path in package_code.TEMPLATES.rglob("*") if path.name in ("dvc.yaml", "dvc.lock")]
