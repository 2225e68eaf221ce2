"""The rules of docs/design.md that import-linter cannot check: dependencies of stages, imports at run time, names."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import grimp
import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

SOURCE = ROOT / "src" / "modelyard"
FAMILIES = (
    "mlp",
    "cnn",
    "recurrent",
    "autoencoder",
    "detector",
    "linear",
    "logistic",
    "perceptron",
    "boosting",
    "histogram_boosting",
    "forest",
    "baseline",
)

# Each group of stages with the script that it runs.
STAGES = {
    "fetch": "fetch",
    "normalise": "normalise",
    "contract": "contract",
    "train": "train",
    "evaluate": "evaluate",
    "train_transfer": "train",
    "evaluate_transfer": "evaluate",
    "export": "export",
    "export_transfer": "export",
    "batch": "batch",
    "compare": "compare",
    "pretrained:fetch": "fetch",
    "pretrained:train": "train",
    "pretrained:evaluate": "evaluate",
    "pretrained:export": "export",
}
SCRIPTS = sorted(set(STAGES.values()))
EVALUATIONS = {name for name, script in STAGES.items() if script == "evaluate"}
SAME_CODE = [  # these groups differ by their sections of params.yaml alone
    ("fetch", "pretrained:fetch"),
    ("evaluate", "evaluate_transfer"),
    ("evaluate", "pretrained:evaluate"),
    ("export", "export_transfer"),
    ("export", "pretrained:export"),
    ("train_transfer", "pretrained:train"),
]


@cache
def graph() -> grimp.ImportGraph:
    """The imports of the package, those within functions included; not those for a type checker."""
    return grimp.build_graph("modelyard", exclude_type_checking_imports=True, cache_dir=None)


def path_of(module: str) -> Path:
    path = SOURCE.parent / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def within(*packages: str) -> set[str]:
    """The modules of these packages, and these themselves, without `modelyard.`."""
    names = {name.removeprefix("modelyard.") for name in graph().modules}
    return {name for name in names if any(name == each or name.startswith(f"{each}.") for each in packages)}


@cache
def reached_from(script: str) -> frozenset[str]:
    """Every module of the package that a script of pipeline/ imports, directly or indirectly."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / "pipeline" / f"{script}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "modelyard":
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in graph().modules else node.module for name in names}
    for name in list(found):
        found |= graph().find_upstream_modules(name)
    return frozenset(name.removeprefix("modelyard.") for name in found - {"modelyard"})


def covered_by(deps: list[str]) -> set[str]:
    """The modules that a stage's deps name, as files or within a folder."""
    named = [ROOT / dep for dep in deps]
    modules = {name.removeprefix("modelyard."): path_of(name) for name in graph().modules}
    return {name for name, path in modules.items() if any(path == each or each in path.parents for each in named)}


def code_in(deps: list[str]) -> set[str]:
    return {dep for dep in deps if dep.startswith(("src/", "pipeline/"))}


# What a stage imports, mostly for the types of params.yaml, and what cannot change its outputs all the same.
SETTINGS_AND_WIRING = {"cli", "core", "params", "tracking", "orchestration"}
READING = within("data.readers")
DOWNLOADING = within("data.archives", "data.download", "data.mirrors", "data.sources", "data.trees")
INPUTS = {
    f"data.{name}"
    for name in ("columns", "inputs", "preprocessing", "samples", "scaling", "slices", "splits", "target_scaling")
}
METRICS = {"metrics.definitions", "metrics.detection", "metrics.ranking"}
ALL_FAMILIES = {f"models.families.{name}" for name in FAMILIES}
TRANSFER_FAMILIES = {"models.families.transfer", "models.families.decoded"}
TRANSFERS = TRANSFER_FAMILIES | {"models.families.backbones"}


MODELS = within("models") - within("models.export")


FRONT_DOORS = {
    *("serving", "models", "models.engine", "models.families", "metrics", "data", "data.readers", "experiments")
}
CANNOT_CHANGE = {
    # Reached through the types of params.yaml alone.
    "fetch": READING | METRICS | INPUTS | MODELS | {"data.decision_threshold"},
    # Of a task's module it takes how targets are summarized, not how predictions are plotted.
    "normalise": (DOWNLOADING - {"data.archives", "data.trees"})
    | METRICS
    | MODELS
    | {"metrics.bootstrap", "data.decision_threshold"}
    | within("experiments.plots", "metrics.calibration"),
    # Prepared samples are read as they are; of what they were made of, only the types are read.
    "contract": (READING - {"data.readers.reuters"})
    | within("data.archives", "data.sources", "data.trees")
    | within("data.decision_threshold", "data.scaling", "data.slices", "data.splits", "data.target_scaling"),
    # The samples are split and on disk: whether they suffice for folds is checked, no more. Of other families only the
    # types of their settings are read.
    "train": READING
    | DOWNLOADING
    | ALL_FAMILIES
    | TRANSFERS
    | {"metrics.detection", "metrics.ranking", "data.cross_validation", "data.slices", "data.splits"},
    "train_transfer": READING
    | DOWNLOADING
    | (ALL_FAMILIES - {"models.families.mlp"})
    | TRANSFER_FAMILIES  # its own is a dependency by its name
    | {"models.engine.sklearn_columns", "models.engine.sklearn_model", "metrics.detection"}
    | {"metrics.ranking", "data.cross_validation", "data.slices", "data.splits"},
    # Of other families only the types of their settings are read; no transfer is fitted again for folds.
    "evaluate": READING | DOWNLOADING | ALL_FAMILIES | TRANSFERS | {"data.slices"},
    # A saved model needs no code of its family.
    "export": READING
    | DOWNLOADING
    | ALL_FAMILIES
    | TRANSFERS
    | {"metrics.detection", "metrics.ranking", "data.slices", "data.splits"},
    # Prepared samples are not read, nor drawn; of a model's family only the types of its settings are read.
    "batch": (DOWNLOADING - {"data.trees"})
    | ALL_FAMILIES
    | TRANSFERS
    | within(
        "data.contract",
        "data.slices",
        "data.splits",
        "experiments.evaluate",
        "experiments.plots",
        "metrics.calibration",
    )
    | within("metrics.bootstrap", "metrics.ranking", "serving.outside"),
    # Of params.yaml it reads names and tasks; of a task's module how predictions become metrics.
    "compare": READING
    | DOWNLOADING
    | INPUTS
    | MODELS
    | within("experiments.plots", "metrics.calibration")
    | {"metrics.detection", "metrics.ranking", "data.decision_threshold"},
}
CANNOT_CHANGE |= {other: CANNOT_CHANGE[group] for group, other in SAME_CODE}


def cannot_change(stage: str) -> set[str]:
    """The modules that a stage imports and that cannot change its outputs."""
    return CANNOT_CHANGE[stage] | within(*SETTINGS_AND_WIRING) | FRONT_DOORS


@pytest.fixture(scope="module")
def stages() -> dict:
    """Every group of stages of both files, those of pretrained/dvc.yaml with that prefix."""
    found = {}
    for prefix, file in (("", "dvc.yaml"), ("pretrained:", "pretrained/dvc.yaml")):
        written = YAML(typ="safe").load(ROOT / file)["stages"]
        found |= {prefix + name: stage.get("do", stage) for name, stage in written.items()}
    return found


@pytest.fixture(scope="module")
def params() -> dict:
    return YAML(typ="safe").load(ROOT / "params.yaml")


def test_the_layout_in_the_readme_lists_every_package():
    listing = (ROOT / "README.md").read_text(encoding="utf-8").partition("src/modelyard/")[2].partition("```")[0]
    listed = re.findall(r"^\s+([a-z]+)/\s", listing, flags=re.MULTILINE)
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert packages <= set(listed)
    assert len(listed) == len(set(listed))


def test_the_package_has_no_modules_beside_its_packages():
    assert {path.name for path in SOURCE.glob("*.py")} == {"__init__.py", "__main__.py"}


def test_no_class_name_stands_twice():
    names = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name != "Settings":  # each family and reader has its own
                names.setdefault(node.name, []).append(path.relative_to(SOURCE).as_posix())
    assert {name: paths for name, paths in names.items() if len(paths) > 1} == {}


def test_there_is_no_module_for_unrelated_helpers():
    assert {"utils", "util", "helpers", "common", "misc"} & {path.stem for path in SOURCE.rglob("*.py")} == set()


def test_every_test_module_lies_where_its_module_does():
    """Tests of a package's behaviour as a whole have names of their own, but lie in the folder of that package."""
    folders = {path.parent.relative_to(SOURCE) for path in SOURCE.rglob("*.py")} | {Path("end_to_end"), Path("support")}
    tests = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    assert tests <= folders


# --- stages ---


def test_every_group_of_stages_is_checked(stages):
    assert set(stages) == set(STAGES)


@pytest.mark.parametrize("stage, script", STAGES.items())
def test_a_stage_depends_on_all_code_that_can_change_its_result(stage, script, stages):
    assert reached_from(script) - cannot_change(stage) - covered_by(stages[stage]["deps"]) == set()
    assert f"pipeline/{script}.py" in stages[stage]["deps"]
    assert f"pipeline/{script}.py " in stages[stage]["cmd"]


@pytest.mark.parametrize("stage, script", STAGES.items())
def test_a_stage_depends_on_no_code_that_cannot_change_its_result(stage, script, stages):
    assert CANNOT_CHANGE[stage] - reached_from(script) - FRONT_DOORS == set()
    assert CANNOT_CHANGE[stage] & covered_by(stages[stage]["deps"]) - FRONT_DOORS == set()
    used = covered_by(stages[stage]["deps"]) - FRONT_DOORS
    assert used <= reached_from(script)
    assert not used & within(*SETTINGS_AND_WIRING)


@pytest.mark.parametrize("one, other", SAME_CODE)
def test_groups_that_do_the_same_for_other_sections_depend_on_the_same_code(one, other, stages):
    assert code_in(stages[one]["deps"]) == code_in(stages[other]["deps"])


def test_every_code_dependency_exists(stages):
    deps = {dep for stage in stages.values() for dep in code_in(stage["deps"])}
    assert [dep for dep in deps if "$" not in dep and not (ROOT / dep).exists()] == []


@pytest.mark.parametrize("stage, others", [("train", set()), ("train_transfer", {"backbones", "mlp"})])
def test_a_training_depends_on_its_own_family_and_on_no_other(stage, others, stages):
    deps = stages[stage]["deps"]
    assert "src/modelyard/models/families/${item.model.family}.py" in deps
    assert within("models.families") & covered_by(deps) == {f"models.families.{name}" for name in others}


@pytest.mark.parametrize("stage", ["train_transfer", "pretrained:train"])
def test_a_transfer_depends_on_the_network_that_it_starts_from(stage, stages):
    _, backbone = stages[stage]["cmd"].split("--backbone ")
    assert backbone.strip() in stages[stage]["deps"]
    assert "${item.model.backbone}" in backbone


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_takes_only_types_from_another_family(family):
    """Else an edit of the other's code would change its result, and train@ would not know."""
    package = "modelyard.models.families"
    for node in ast.walk(ast.parse(path_of(f"{package}.{family}").read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        module, names = getattr(node, "module", ""), {alias.name for alias in node.names}
        whole = names | {f"{module}.{name}" for name in names}
        assert not whole & {f"{package}.{other}" for other in FAMILIES}
        other = module.removeprefix(f"{package}.")
        if other in FAMILIES:
            tree = ast.parse(path_of(f"{package}.{other}").read_text(encoding="utf-8"))
            code = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef)}
            assert not code & names


@pytest.mark.parametrize("family", sorted(TRANSFER_FAMILIES))
def test_a_transfer_uses_no_family_that_its_stages_do_not_depend_on(family):
    """But mlp, on which they do depend."""
    imported = graph().find_modules_directly_imported_by(f"modelyard.{family}")
    assert {name.removeprefix("modelyard.") for name in imported} & ALL_FAMILIES == {"models.families.mlp"}


def test_each_family_of_the_registry_is_a_file_of_its_name():
    from modelyard import models

    assert set(models._FAMILIES) == {*FAMILIES, "transfer", "decoded"}
    modules = {name: sys.modules[f"modelyard.models.families.{name}"] for name in models._FAMILIES}
    assert {name: family for name, (_, family) in models._FAMILIES.items()} == modules


def test_a_kept_run_over_seeds_depends_on_all_code_that_can_change_its_metrics():
    from modelyard.replication.single_run import CODE

    module = "modelyard.replication.single_run"
    reached = {name.removeprefix("modelyard.") for name in graph().find_upstream_modules(module)} - {"modelyard"}
    unchanging = (
        within(*SETTINGS_AND_WIRING) | DOWNLOADING | within("experiments.plots", "metrics.calibration") | FRONT_DOORS
    )
    unchanging |= {"metrics.bootstrap", "data.samples", "data.slices"}
    assert reached - unchanging - covered_by([f"src/modelyard/{name}" for name in CODE]) == set()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_study_keeps_the_checksums_of_all_code_that_can_change_a_score(family):
    from modelyard.tuning.trial_code import code_checksums

    reached = {name.removeprefix("modelyard.") for name in graph().find_upstream_modules("modelyard.tuning.objective")}
    unchanging = within(*SETTINGS_AND_WIRING) | DOWNLOADING | ALL_FAMILIES | TRANSFERS | FRONT_DOORS
    unchanging |= {f"tuning.{name}" for name in ("plan", "results", "retries", "trial_code")}
    unchanging |= within(
        "data.decision_threshold", "data.samples", "data.slices", "metrics.bootstrap", "metrics.ranking"
    )
    kept = covered_by([f"src/modelyard/{name}" for name in code_checksums(family)])
    assert reached - unchanging - kept == set()
    assert f"models.families.{family}" in kept


def test_stages_of_the_subfolder_run_in_the_folder_of_the_project(stages):
    assert {name for name, stage in stages.items() if stage.get("wdir")} == {
        name for name in STAGES if name.startswith("pretrained:")
    }
    assert {stage["wdir"] for stage in stages.values() if "wdir" in stage} == {".."}


# --- test samples ---


def test_only_evaluation_opens_test_samples():
    written = [*SOURCE.rglob("*.py"), *(ROOT / "pipeline").glob("*.py")]
    mention = {path.stem for path in written if re.search(r"\bload_test\b", path.read_text(encoding="utf-8"))}
    assert mention == {"inputs", "evaluate"}


def test_only_evaluations_depend_on_test_samples(stages):
    readers = {name for name, stage in stages.items() if any(dep.endswith("/test") for dep in stage["deps"])}
    assert readers == EVALUATIONS
    named = {name for name, stage in stages.items() if "/test" in stage["cmd"]}
    assert named == {"normalise", *EVALUATIONS}


# --- imports at run time ---


def modules_after(imports: str, folder: Path) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after some imports; `folder` is its empty folder."""
    code = f"import sys\n{imports}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    found = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert list(folder.iterdir()) == [], "an import left something behind"
    return set(found.stdout.split())


def test_settings_load_nothing_heavy(tmp_path):
    heavy = {"tensorflow", "keras", "mlflow", "optuna", "dvc", "pandas", "scipy", "sklearn", "matplotlib"}
    assert modules_after("import modelyard.params, modelyard.cli", tmp_path) & heavy == set()


def test_no_stage_and_no_command_loads_tensorflow_or_mlflow_by_being_imported(tmp_path):
    scripts = "".join(f"import {script}\n" for script in SCRIPTS)
    commands = ", ".join(f"modelyard.cli.{path.stem}" for path in (SOURCE / "cli").glob("[a-z]*.py"))
    found = modules_after(
        f"sys.path.insert(0, {str(ROOT / 'pipeline')!r})\nsys.dont_write_bytecode = True\n{scripts}import {commands}\n",
        tmp_path,
    )
    assert found & {"tensorflow", "keras", "mlflow", "optuna", "dvc"} == set()


# --- params.yaml ---


@pytest.fixture(scope="module")
def runs(params) -> dict:
    """Every experiment of every section."""
    return params["experiments"] | params["transfers"] | params["pretrained"]


def test_every_experiment_names_its_notebook(runs):
    published = YAML(typ="safe").load(ROOT / "published.yaml")
    assert set(runs) == set(published)
    assert all(entry["notebook"] for entry in published.values())


def test_every_input_data_set_and_backbone_is_used(params, runs):
    assert {entry["input"] for entry in runs.values()} == set(params["inputs"])
    assert {entry["dataset"] for entry in params["inputs"].values()} == set(params["datasets"])
    assert {entry["model"]["backbone"] for entry in params["pretrained"].values()} == set(params["backbones"])


def test_a_plain_repro_needs_nothing_that_others_trained():
    from dvc.repo import Repo
    from networkx import descendants

    with Repo(str(ROOT)) as repo:
        dag = repo.index.graph
        ours = [stage for stage in dag if not stage.addressing.startswith("pretrained/")]
        needed = {each.addressing for stage in ours for each in descendants(dag, stage)}
    assert len(ours) > len(STAGES)
    assert not [name for name in needed if name.startswith("pretrained/")]
