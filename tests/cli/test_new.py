"""`modelyard new`: what is created, and what is refused with nothing left behind."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from check_jsonschema.cli import main as check_jsonschema
from click.testing import CliRunner
from packaging.specifiers import SpecifierSet
from ruamel.yaml import YAML
from support.commands import modelyard
from support.houses import houses
from support.paths import ROOT
from support.projects import draw

from modelyard import params
from modelyard.cli import new
from modelyard.core.files import sha256, write_text
from modelyard.core.project_name import project_name

ONE_OF = "give one of --table FILE --target COLUMN, --images FOLDER, or --empty"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table."""
    folder = tmp_path_factory.mktemp("new")
    houses().to_csv(folder / "houses.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def identity(folder: Path) -> dict[str, str]:
    """An environment in which git knows who commits, whatever the configuration of the machine."""
    names = {f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    return names | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


@pytest.fixture(scope="module")
def created(folder: Path, identity: dict[str, str]) -> tuple[Path, str]:
    """A project on the table, which no test may change, and what the command printed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in identity.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        result = modelyard("new", "houses", "--table", "houses.csv", "--target", "price")
    assert result.exit_code == 0, result.output
    return folder / "houses", result.output


@pytest.fixture
def project(created: tuple[Path, str]) -> Path:
    return created[0]


def git(project: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=project, check=True, capture_output=True, text=True).stdout


def test_the_command_says_what_it_guessed_and_what_to_do(created: tuple[Path, str]):
    output = created[1]
    assert "houses is a project on houses.csv with houses_baseline, houses_histogram_boosting, houses_mlp" in output
    assert "Guessed: task: regression" in output
    assert output.splitlines()[-1] == "Next: cd houses && make run"


def test_the_command_says_which_columns_the_models_do_not_get_and_what_looks_wrong(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    a = random.normal(size=60)
    table = pd.DataFrame({"number": range(60), "name": [f"name {n}" for n in range(60)], "a": a, "y": 3 * a + 0.01})
    table.assign(b=random.normal(size=60)).to_csv("my table.csv", index=False)
    output = modelyard("new", "mine", "--table", "my table.csv", "--target", "y").output
    assert "Column name: no feature (dropped)" in output
    assert "Column a: " in output, "it predicts the target alone"
    readme = (tmp_path / "mine" / "README.md").read_text()
    assert "my_table_mlp 'my table.csv' -o predictions.csv" in readme
    assert "then `dvc add 'my table.csv'`" in readme
    assert "[my table.csv.dvc](my%20table.csv.dvc)" in readme


def test_what_an_error_advises_can_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    houses().to_csv("latin.csv", index=False, encoding="latin-1")
    refused = modelyard("new", "mine", "--table", "latin.csv", "--target", "price").output
    assert "Here: --encoding cp1252\nNothing was created." in refused
    options = ("--encoding", "cp1252", "--drop", "size", "--column", "rooms=category", "--task", "regression")
    result = modelyard("new", "mine", "--table", "latin.csv", "--target", "price", *options)
    assert result.exit_code == 0, result.output
    assert "Guessed: task" not in result.output
    monkeypatch.chdir(tmp_path / "mine")
    dataset = params.load().datasets["latin"]
    assert (dataset.encoding, dataset.columns["size"], dataset.columns["rooms"]) == ("cp1252", "drop", "category")


def test_it_has_the_proposed_entries_and_a_search(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project)
    settings = params.load()
    assert [entry.model.family for entry in settings.experiments.values()] == ["baseline", "histogram_boosting", "mlp"]
    assert settings.studies.keys() == {"houses_histogram_boosting"}
    assert settings.datasets["houses"].files["houses.csv"].path == "houses.csv"
    assert params.load_published(settings) == {}


def test_dvc_keeps_the_table_and_git_all_else(project: Path):
    tracked = git(project, "ls-files").split()
    assert "houses.csv" not in tracked
    assert {"houses.csv.dvc", "params.yaml", "pipeline/package.yaml", "requirements.lock", ".dvc/config"} <= set(
        tracked
    )
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "log", "--format=%s").strip() == "Create the project"


def test_it_has_none_of_the_packages_source_but_the_scripts(project: Path):
    code = sorted(name for name in git(project, "ls-files").split() if name.endswith(".py"))
    scripts = sorted(f"pipeline/{path.name}" for path in (ROOT / "pipeline").glob("*.py"))
    assert code == [*scripts, "tests/test_pipeline.py"]


def test_the_lock_names_the_wheel_by_file_and_hash(project: Path):
    (wheel,) = (project / "wheels").iterdir()
    lock = (project / "requirements.lock").read_text()
    assert f"    --hash=sha256:{sha256(wheel)}\n    # wheels/{wheel.name}\n" in lock
    assert zipfile.is_zipfile(wheel)


def test_the_lock_pins_what_the_package_needs_and_no_development_tools(project: Path):
    locked = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", (project / "requirements.lock").read_text()))
    ours = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text()))
    assert {name: number for name, number in locked.items() if name != "modelyard"}.items() <= ours.items()
    assert {"tensorflow", "keras", "mlflow", "dvc", "pytest", "uv", "numpy"} <= locked.keys()
    assert locked.keys() & {"mypy", "ruff", "playwright", "hypothesis", "moto"} == set()
    hashes = (project / "requirements.lock").read_text().count("--hash=sha256:")
    assert hashes > len(locked)


def test_the_name_is_that_of_the_folder(project: Path):
    assert project_name(project) == "houses"
    assert (project / "README.md").read_text().startswith("# houses\n\nPredict price from houses.csv.")


def test_no_template_is_left_unrendered(project: Path):
    for path in ("README.md", "pyproject.toml"):
        text = (project / path).read_text()
        assert "{{" not in text
        assert "{%" not in text
        assert "\n\n\n" not in text
    tomllib.loads((project / "pyproject.toml").read_text())


def test_the_lines_of_the_readme_are_short_and_its_comments_aligned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    name = "californian houses of 1990.csv"
    houses().to_csv(name, index=False)
    assert modelyard("new", "mine", "--table", name, "--target", "price").exit_code == 0
    assert modelyard("new", "empty", "--empty").exit_code == 0
    for project in ("mine", "empty"):
        text = Path(project, "README.md").read_text()
        assert not [line for line in text.splitlines() if len(line) > 132 and "# " not in line and line[0] != "|"]
        (usage,) = (block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "modelyard report" in block)
        assert len({line.index(" # ") for line in usage.splitlines()}) == 1
        assert "## Data" in text


def test_a_table_with_the_name_of_the_predictions_or_of_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for project, name in (("first", "predictions.csv"), ("second", "-x.csv")):
        houses().to_csv(name, index=False)
        result = modelyard("new", project, "--table", f"./{name}", "--target", "price")
        assert result.exit_code == 0, result.output
        assert f"{name}.dvc" in git(Path(project), "ls-files").splitlines()
    first, second = (Path(project, "README.md").read_text() for project in ("first", "second"))
    assert "predict predictions_mlp predictions.csv -o predictions_of_model.csv" in first
    assert "predict x_mlp ./-x.csv -o predictions.csv" in second
    assert "`dvc add ./-x.csv`" in second


def test_the_predictions_of_the_readme_are_ignored_by_git(project: Path):
    for name in new.PREDICTIONS:
        assert git(project, "check-ignore", name).strip() == name


@pytest.mark.parametrize("root", ["", ROOT])
@pytest.mark.parametrize("minor, fits", [(10, False), (11, True), (12, True), (13, False)])
def test_make_refuses_another_python_than_pyproject_allows(
    project: Path, tmp_path: Path, root: str | Path, minor: int, fits: bool
):
    folder = Path(root or project)
    supported = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["requires-python"]
    assert SpecifierSet(supported).contains(f"3.{minor}.1") == fits
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(folder / name, tmp_path)
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] || {{ echo made; exit 1; }}\n'
        f"exec {sys.executable} -c \"import sys; sys.version_info = (3, {minor}, 1, 'final', 0); $2\"\n"
    )
    python.chmod(0o755)
    done = subprocess.run(["make", "install", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True)
    message = "Python 3.11 or 3.12 is needed: make install PYTHON=python3.12"
    assert (message in done.stdout, "made" in done.stdout) == (not fits, fits), done.stdout + done.stderr


def test_every_link_and_make_target_of_the_readme_exists(project: Path):
    text = (project / "README.md").read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (project / target).exists(), target
    targets = set(re.findall(r"(?m)^([a-z]+):", (project / "Makefile").read_text()))
    used = set(re.findall(r"make ([a-z]+)", text + (project / ".github/workflows/check.yml").read_text()))
    assert used <= targets
    assert {"test", "audit"} <= used


def test_the_workflow_is_valid_by_its_schema(project: Path):
    workflow = str(project / ".github" / "workflows" / "check.yml")
    result = CliRunner().invoke(check_jsonschema, ["--builtin-schema", "vendor.github-workflows", workflow])
    assert result.exit_code == 0, result.output
    assert YAML(typ="safe").load(Path(workflow))["permissions"] == {"contents": "read"}


def test_hadolint_finds_no_mistake_in_the_dockerfile(project: Path):
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, "Dockerfile"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_make_installs_in_the_dockerfile_what_it_installs_here(project: Path):
    """Both take uv from the lock by the same line."""
    line = "awk '/^[a-z]/ {ours = /^uv==/} ours' requirements.lock"
    assert all(line in (project / name).read_text() for name in ("Makefile", "Dockerfile"))


def test_an_empty_project_has_no_entries(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    result = modelyard("new", "nothing", "--empty")
    assert result.exit_code == 0, result.output
    assert "modelyard data show --help" in result.output
    monkeypatch.chdir(folder / "nothing")
    assert params.load().experiments == {}
    assert "modelyard data show houses.csv" in Path("README.md").read_text()
    assert "\n\n\n" not in Path("README.md").read_text()


def test_images_are_copied_without_litter_and_broken_links_and_get_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for number in range(20):
        draw(tmp_path / "my pets" / ("cat", "dog")[number % 2] / f"{number}.png", (40, 30))
    (tmp_path / "my pets" / "cat" / ".DS_Store").touch()
    (tmp_path / "my pets" / "cat" / "moved.png").symlink_to("elsewhere.png")
    (tmp_path / "my pets" / "cat" / "text.png").write_text("no image")
    options = ("--size", "16x24", "--colour", "grey", "--broken", "leave_out")
    result = modelyard("new", "animals", "--images", "my pets", *options)
    assert result.exit_code == 0, result.output
    assert "dvc add" not in result.output, "it is done already"
    assert "1 file(s) cannot be used:\n  cat/text.png: not an image" in result.output
    assert "animals is a project on my pets with my_pets_baseline, my_pets_cnn." in result.output
    monkeypatch.chdir(tmp_path / "animals")
    settings = params.load()
    assert settings.datasets["my_pets"].files.popitem()[1].path == "my pets"
    assert (settings.datasets["my_pets"].size, settings.datasets["my_pets"].colour) == ((16, 24), "grey")
    assert settings.studies.keys() == {"my_pets_cnn"}
    assert len([path for path in Path("my pets").rglob("*") if path.is_file()]) == 21
    assert "my pets.dvc" in git(Path(), "ls-files").splitlines()
    assert "modelyard predict my_pets_cnn 'my pets/cat/0.png'" in Path("README.md").read_text()


def test_what_the_pipeline_writes_is_ignored_by_git_as_in_the_repository(project: Path):
    written = (
        "/data/raw/",
        "/data/inputs/",
        "/results/",
        "/pretrained/",
        "/reports/",
        "/.modelyard/",
        "/mlflow.db",
        "/mlartifacts/",
    )
    ours, theirs = (set((folder / ".gitignore").read_text().splitlines()) for folder in (ROOT, project))
    assert {line for line in ours if line.startswith(written)} <= theirs


def test_ones_own_table_in_data_is_kept_by_git_copied_by_the_test_and_left_by_make_clean(project: Path, tmp_path: Path):
    ignored = subprocess.run(["git", "check-ignore", "data/flats.csv", "data/raw/a", "data/inputs/a"], cwd=project,
                             capture_output=True, text=True)  # fmt: skip
    assert ignored.stdout.split() == ["data/raw/a", "data/inputs/a"]
    spec = spec_from_file_location("test_of_project", project / "tests" / "test_pipeline.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.not_copied(str(project / "data"), ["flats.csv", "raw", "inputs"]) == {"raw", "inputs"}
    shutil.copy(project / "Makefile", tmp_path)
    for name in ("raw/a", "inputs/a", "flats.csv"):
        write_text(tmp_path / "data" / name, "")
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["flats.csv"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["old", "--empty"], "old exists, and nothing is overwritten"),
        (["my houses", "--empty"], "'my houses' is no name for a package: letters, digits, and -, _ and ."),
        (["my houses", "--empty"], "such as my-houses."),
        (
            ["/proc/mine", "--empty"],
            "/proc/mine cannot be created: No such file or directory. Give a folder elsewhere.",
        ),
        (["houses.csv/mine", "--empty"], "houses.csv is no folder, so houses.csv/mine cannot be in it: give another"),
        (["new/in/new", "--table", "none.csv", "--target", "price"], "none.csv: no such file"),
        (["modelyard", "--empty"], "other than modelyard itself"),
        (["-", "--empty"], "is no name for a package"),
        (["new", "--table", "none.csv", "--target", "price"], "none.csv: no such file"),
        (["new", "--table", "old", "--target", "price"], "old is a folder: give the file of a table in it"),
        (["new", "--images", "old"], "old"),
        (["new", "--images", "none"], "none: no such file or folder"),
        (["new", "--table", "README.md", "--target", "price"], "README.md has the name of a file or folder of"),
        (["new", "--images", "mlartifacts"], "mlartifacts has the name of a file or folder of the project"),
        (["new", "--table", "text.csv", "--target", "price"], "text.csv: "),
        (
            ["new", "--table", "houses.csv", "--target", "prize"],
            "houses.csv: no column 'prize' (--target); did you mean price?",
        ),
        (["new", "--table", "rare.csv", "--target", "kind"], "rare.csv"),
        (["new", "--table", "houses.csv"], "--table needs the column to predict: --target COLUMN"),
        (["new", "--target", "price"], ONE_OF),
        (["new"], ONE_OF),
        (
            ["new", "--empty", "--table", "houses.csv"],
            ONE_OF,
        ),
        (["new", "--empty", "--encoding", "cp1252"], "--encoding says how to read data, and --empty is without"),
        (["new", "--table", "houses.csv", "--target", "price", "--size", "16"], "--size is for images, and houses.csv"),
        (["new", "--images", "old", "--encoding", "cp1252"], "--encoding is for tables, and old holds images"),
    ],
)
def test_what_cannot_be_created_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch, arguments, message):
    (tmp_path / "old").mkdir()
    (tmp_path / "mlartifacts").mkdir()
    houses().to_csv(tmp_path / "houses.csv", index=False)
    (tmp_path / "text.csv").write_bytes(b"\xff\xfe\x00broken")
    (tmp_path / "README.md").write_text("a,price\n1,2\n")
    (tmp_path / "rare.csv").write_text("a,kind\n1,x\n2,x\n3,y\n4,x\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    result = modelyard("new", *arguments)
    assert result.exit_code == 1
    assert message in str(result.output)
    assert "Traceback" not in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_folder_that_appears_while_the_command_works_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_wheel = new.write_wheel

    def write_wheel_beside_others(folder: Path) -> Path:
        Path("race").mkdir()
        Path("race/mine.txt").write_text("precious")
        return write_wheel(folder)

    monkeypatch.setattr(new, "write_wheel", write_wheel_beside_others)
    result = modelyard("new", "race", "--empty")
    assert result.exit_code == 1
    assert "race exists, and nothing is overwritten: give a folder that does not exist yet." in result.output
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["race", "race/mine.txt"]


def test_without_git_nothing_is_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(new.shutil, "which", lambda name: None if name == "git" else shutil.which(name))
    result = modelyard("new", "houses", "--empty")
    assert (result.exit_code, "install git" in result.output, list(tmp_path.iterdir())) == (1, True, [])


def test_without_an_identity_nothing_is_committed_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.useConfigOnly")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    result = modelyard("new", "houses", "--empty")
    assert result.exit_code == 0, result.output
    assert "Nothing is committed: git does not know who you are: set user.name and user.email." in result.output
    assert ".gitignore" in git(tmp_path / "houses", "ls-files", "--cached")


def test_why_a_hook_refuses_the_commit_is_said(tmp_path: Path, monkeypatch, identity: dict[str, str]):
    hook = tmp_path / "template" / "hooks" / "pre-commit"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\necho no commits today\nexit 1\n")
    hook.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for name, value in (identity | {"GIT_TEMPLATE_DIR": str(tmp_path / "template")}).items():
        monkeypatch.setenv(name, value)
    result = modelyard("new", "houses", "--empty")
    assert result.exit_code == 0, result.output
    assert "Nothing is committed: git said: no commits today. When that is mended, run: git commit" in result.output
    assert "who you are" not in result.output
