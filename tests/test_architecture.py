"""The laws of docs/design.md, kept by reading the source: what imports what, and what each stage depends on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "modelyard"
STAGES = ("fetch", "normalise", "train", "evaluate", "compare")
LONGEST = 270  # lines of a module
FAMILIES = ("mlp", "cnn", "linear", "boosting")

ASIDE = {"runner", "warm"}  # they run stages and scripts, and know no word about models

# A module may import only from the lines above its own. `models` and `datasets` are the registries of their folders.
LAYERS = [
    {"errors", "rows"},
    {"config", "files"},
    {"downloads", "splits", "scaling", "metrics", "statistics"},
    {"datasets.entry"},
    {"datasets.boston", "datasets.diabetes", "datasets.digits", "datasets.idx", "datasets.table"},
    {"datasets"},
    {"inputs"},
    {"datacard", "figures", "tracking", "models.archive", "models.output"},
    {"models.settings", "models.mlp", "models.linear", "models.boosting"},
    {"models.cnn", "models.batches", "models.callbacks", "models.estimator", "models.optimizers"},
    {"models.network"},
    {"models"},
    {"settings"},
    {"training", "evaluation", "comparison", *ASIDE},
    {"cli.display"},
    {"cli.doctor", "cli.run", "cli.ui"},
    {"cli"},
]

# What a stage imports, or may import by way of `settings`, and what still cannot change its outputs.
SETTINGS_AND_WIRING = {"cli", "config", "datasets", "errors", "files", "models", "settings", "tracking"}
TYPES_OF_DATASETS = {f"datasets.{name}" for name in ("entry", "boston", "diabetes", "digits", "idx", "table")}
TYPES_OF_MODELS = {f"models.{path.stem}" for path in (SOURCE / "models").glob("*.py") if path.stem != "__init__"}
CANNOT_CHANGE = {
    # Reached through the types of params.yaml alone.
    "fetch": TYPES_OF_DATASETS | TYPES_OF_MODELS | {"inputs", "metrics", "rows", "scaling", "splits"},
    "normalise": TYPES_OF_MODELS | {"downloads", "metrics"},
    # The rows are divided and on disk; of other families only the settings' types are read.
    "train": TYPES_OF_DATASETS | {f"models.{name}" for name in FAMILIES} | {"downloads", "splits"},
    # A saved model brings its layers and its scaling; `load` and `predict` are all that is called.
    "evaluate": TYPES_OF_DATASETS
    | (TYPES_OF_MODELS - {"models.estimator", "models.network"})
    | {"downloads", "scaling", "splits"},
    # Of `settings` it reads names and tasks. What metrics.json holds is the business of evaluate.
    "compare": TYPES_OF_DATASETS | TYPES_OF_MODELS | {"downloads", "inputs", "rows", "scaling", "splits"},
}


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in SOURCE.rglob("*.py") if path.parent != SOURCE or path.stem != "__init__"}


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def import_nodes(node: ast.AST):
    """Every import of a syntax tree, within functions too; not those for a type checker."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif is_for_types_only(child):
            yield from (found for part in child.orelse for found in import_nodes(part))
        else:
            yield from import_nodes(child)


def imported(path: Path) -> set[str]:
    """The modules that a file imports; `from a import b` imports a.b where that is a module of ours, else a."""
    names = set()
    for node in import_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            assert node.level == 0, f"{path}: relative imports hide the layer they reach for"
            within = (f"{node.module}.{alias.name}" for alias in node.names)
            names |= {name if name.removeprefix("modelyard.") in MODULES else node.module for name in within}
    return names


def project_imports(path: Path) -> set[str]:
    """The modules of this project that a file imports, each without `modelyard.`."""
    return {name.removeprefix("modelyard.") for name in imported(path)} & set(MODULES)


def foreign_imports(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    return {name.partition(".")[0] for name in imported(path)}


def importers_of(*packages: str) -> set[str]:
    return {name for name, path in MODULES.items() if foreign_imports(path) & set(packages)}


def reached_from(path: Path) -> set[str]:
    """Every module of the project that a file imports, at first or at second hand."""
    reached, waiting = set(), project_imports(path)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= project_imports(MODULES[name]) - reached
    return reached


def covered_by(deps: list[str]) -> set[str]:
    """The modules that a stage's deps name, as files or within a folder."""
    named = [ROOT / dep for dep in deps]
    return {name for name, path in MODULES.items() if any(path == each or each in path.parents for each in named)}


@pytest.fixture(scope="module")
def stages() -> dict:
    written = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    return {name: stage.get("do", stage) for name, stage in written.items()}


@pytest.fixture(scope="module")
def params() -> dict:
    return YAML(typ="safe").load(ROOT / "params.yaml")


def test_every_module_has_its_layer():
    assert sorted(name for layer in LAYERS for name in layer) == sorted(MODULES)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_what_lies_below_it(name):
    height = next(number for number, layer in enumerate(LAYERS) if name in layer)
    assert project_imports(MODULES[name]) - set().union(*LAYERS[:height]) == set()


@pytest.mark.parametrize("name", sorted(ASIDE))
def test_what_stands_aside_knows_no_other_module(name):
    assert project_imports(MODULES[name]) == set()


def test_only_tracking_imports_mlflow():
    assert importers_of("mlflow") == {"tracking"}


def test_only_models_training_and_evaluation_may_import_keras():
    outside = importers_of("keras", "tensorflow") - {"training", "evaluation"}
    assert {name.partition(".")[0] for name in outside} == {"models"}


def test_only_the_runner_imports_dvc():
    assert importers_of("dvc") == {"runner"}


def test_only_evaluation_opens_test_rows():
    written = [*MODULES.values(), *(ROOT / "pipeline").glob("*.py")]
    mention = {path.stem for path in written if "load_test" in path.read_text(encoding="utf-8")}
    assert mention == {"inputs", "evaluation"}


def test_only_evaluate_depends_on_test_rows(stages):
    readers = {name for name, stage in stages.items() if any(dep.endswith("/test") for dep in stage["deps"])}
    assert readers == {"evaluate"}
    told = {name for name, stage in stages.items() if "/test" in stage["cmd"]}
    assert told == {"normalise", "evaluate"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_code_that_can_change_its_result(stage, stages):
    script = ROOT / "pipeline" / f"{stage}.py"
    needed = reached_from(script) - SETTINGS_AND_WIRING - CANNOT_CHANGE[stage]
    assert needed - covered_by(stages[stage]["deps"]) == set()
    assert f"pipeline/{stage}.py" in stages[stage]["deps"]


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_excused_that_a_stage_does_not_import(stage):
    assert CANNOT_CHANGE[stage] - reached_from(ROOT / "pipeline" / f"{stage}.py") == set()


def test_train_depends_on_its_own_family_and_never_on_the_folder(stages):
    deps = stages["train"]["deps"]
    assert "src/modelyard/models/${item.model.family}.py" in deps
    assert not {"src", "src/modelyard", "src/modelyard/models"} & {dep.rstrip("/") for dep in deps}
    assert not {f"src/modelyard/models/{family}.py" for family in FAMILIES} & set(deps)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_takes_only_types_from_another_family(family):
    """Else an edit of the other's code would change its result, and train@ would not know."""
    for node in import_nodes(ast.parse(MODULES[f"models.{family}"].read_text(encoding="utf-8"))):
        other = (getattr(node, "module", None) or "").removeprefix("modelyard.models.")
        if other in FAMILIES:
            tree = ast.parse(MODULES[f"models.{other}"].read_text(encoding="utf-8"))
            code = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef)}
            assert not code & {alias.name for alias in node.names}


def test_each_family_of_the_registry_is_a_file_of_its_name():
    from modelyard import models

    assert set(models._FAMILIES) == set(FAMILIES)
    assert all(module is sys.modules[f"modelyard.models.{name}"] for name, (_, module) in models._FAMILIES.items())


def test_what_cannot_change_results_is_no_dep(stages):
    idle = {f"src/modelyard/{name}.py" for name in ("tracking", "files", "config", "errors", "settings")}
    for stage in stages.values():
        assert not (idle | {"src/modelyard/cli"}) & set(stage["deps"])


def test_every_dep_in_the_source_is_there(stages):
    deps = {dep for stage in stages.values() for dep in stage["deps"] if dep.startswith(("src/", "pipeline/"))}
    assert [dep for dep in deps if "$" not in dep and not (ROOT / dep).exists()] == []


def modules_after(imports: str, folder: Path) -> set[str]:
    """The top-level packages that a fresh interpreter holds after some imports; `folder` is its empty place."""
    code = f"import sys\n{imports}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    found = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert list(folder.iterdir()) == [], "an import left something behind"
    return set(found.stdout.split())


def test_settings_load_nothing_heavy(tmp_path):
    heavy = {"tensorflow", "keras", "mlflow", "optuna", "dvc", "pandas", "scipy", "sklearn", "matplotlib"}
    assert modules_after("import modelyard.settings, modelyard.cli", tmp_path) & heavy == set()


def test_no_stage_and_no_command_loads_tensorflow_or_mlflow_by_being_imported(tmp_path):
    scripts = "".join(f"import {stage}\n" for stage in STAGES)
    found = modules_after(
        f"sys.path.insert(0, {str(ROOT / 'pipeline')!r})\nsys.dont_write_bytecode = True\n{scripts}"
        "import modelyard.cli.doctor, modelyard.cli.run, modelyard.cli.ui, modelyard.downloads, modelyard.comparison",
        tmp_path,
    )
    assert found & {"tensorflow", "keras", "mlflow", "optuna", "dvc"} == set()


def test_no_module_is_a_drawer_for_odds_and_ends():
    assert {"utils", "util", "helpers", "common", "misc"} & {path.stem for path in MODULES.values()} == set()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_fits_in_one_look(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_every_experiment_names_its_notebook(params):
    assert set(params["experiments"]) == set(params["published"])
    assert all(entry["notebook"] for entry in params["published"].values())


def test_every_input_and_data_set_is_used(params):
    assert {entry["input"] for entry in params["experiments"].values()} == set(params["inputs"])
    assert {entry["dataset"] for entry in params["inputs"].values()} == set(params["datasets"])
