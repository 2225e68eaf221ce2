"""The laws of docs/design.md, kept by reading the source: what imports what, and what each stage depends on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

SOURCE = ROOT / "src" / "modelyard"
LONGEST = 270  # lines of a module
FAMILIES = ("mlp", "cnn", "recurrent", "autoencoder", "detector", "linear", "boosting", "baseline")

# Each group of stages with the script that it runs.
STAGES = {
    "fetch": "fetch",
    "normalise": "normalise",
    "train": "train",
    "evaluate": "evaluate",
    "train_transfer": "train",
    "evaluate_transfer": "evaluate",
    "compare": "compare",
    "pretrained:fetch": "fetch",
    "pretrained:train": "train",
    "pretrained:evaluate": "evaluate",
}
SCRIPTS = sorted(set(STAGES.values()))
EVALUATIONS = {name for name, script in STAGES.items() if script == "evaluate"}
SAME_CODE = [  # these groups differ by their sections of params.yaml alone
    ("fetch", "pretrained:fetch"),
    ("evaluate", "evaluate_transfer"),
    ("evaluate", "pretrained:evaluate"),
    ("train_transfer", "pretrained:train"),
]

ASIDE = {
    "runner",
    "runner.lockfile",
    "runner.process",
    "runner.reasons",
    "runner.stage",
    "warm",
    "workers",
}  # they run stages and scripts, and know no word about models

# A module may import only from the lines above its own. `models`, `datasets`, `figures` and `tasks` are the registries
# of their folders.
LAYERS = [
    {"errors", "rows", "layer"},
    {"config", "files"},
    {"claim_settings"},
    {"sources", "archives", "splits", "scaling", "metrics", "statistics", "detection", "figures.style", "lineage"},
    {"downloads", "datasets.entry", "differences"},
    {f"figures.{name}" for name in ("curves", "detections", "images", "kernels", "layers", "predictions", "readings")},
    {f"datasets.{name}" for name in ("boston", "cifar", "diabetes", "digits", "idx", "reuters", "table")},
    {"datasets.canvases"},
    {"datasets"},
    {"inputs"},
    {"datacard", "figures", "models.archive", "models.output", "tracking.address", "tracking.place", "tracking.rows"},
    {"tracking.guarded"},
    {"tracking", "tracking.records"},
    {"models.settings", "models.mlp", "models.linear", "models.boosting", "models.baseline", "models.detector"},
    {"models.bench", "models.cnn", "models.autoencoder", "models.batches", "models.callbacks", "models.optimizers"},
    {"models.recurrent", "models.estimator", "models.network"},
    {"models.backbones"},
    {"models.transfer"},
    {"models"},
    {"studies", "subjects"},
    {"settings", "tasks.judgement"},
    {"tasks.classification", "tasks.regression", "tasks.reconstruction", "tasks.detection"},
    {"tasks"},
    {
        "training",
        "evaluation",
        "comparison",
        "filling",
        "provenance",
        "past_runs",
        "spread",
        "runner.lockfile",
        "runner.reasons",
        "runner.stage",
    },
    {"gains", "warm", "workers", "runner.process"},
    {"runner", "measuring", "explanation"},
    {"replication"},
    {"claims", "replication_diary"},
    {"tuning", "tuning.findings", "tuning.page", "tuning.folds", "tuning.plan", "tuning.lost"},
    {"tuning.pictures", "tuning.winner", "tuning.table", "tuning.diary", "tuning.storage", "tuning.objective"},
    {"tuning.apply", "tuning.opening", "tuning.report", "tuning.worker"},
    {"tuning.search"},
    {"tuning.rebuild"},
    {"reporting.bars", "reporting.changes", "reporting.pictures", "reporting.revisions"},
    {"reporting.folder", "reporting.tables"},
    {"reporting.cards", "reporting.claims", "reporting.experiments", "reporting.seeds", "reporting.studies"},
    {"reporting.contents"},
    {"reporting.page", "reporting.twin"},
    {"reporting"},
    {"registry"},
    {"promotion"},
    {"prediction.given"},
    {"prediction.images", "prediction.tables", "prediction.texts", "prediction.answers"},
    {"prediction.pictures"},
    {"prediction"},
    {"cli.display", "cli.interrupts", "cli.runs"},
    {"cli.prerequisites"},
    {
        "cli.doctor",
        "cli.experiments",
        "cli.explain",
        "cli.predict",
        "cli.promote",
        "cli.replicate",
        "cli.report",
        "cli.run",
        "cli.tune",
        "cli.ui",
    },
    {"cli"},
    {"__main__"},
]


def modules_in(folder: str) -> set[str]:
    return {f"{folder}.{path.stem}" for path in (SOURCE / folder).glob("*.py") if path.stem != "__init__"}


# What a stage imports, or may import by way of `settings`, and what still cannot change its outputs.
SETTINGS_AND_WIRING = {
    "claim_settings",
    "cli",
    "config",
    "datasets",
    "errors",
    "files",
    "models",
    "settings",
    "studies",
    "subjects",
    "tracking",
}
SETTINGS_AND_WIRING |= modules_in("tracking") | {"lineage"}
DATASETS, MODELS = modules_in("datasets"), modules_in("models")
DOWNLOADING = {"archives", "downloads", "sources"}
ALL_FAMILIES = {f"models.{name}" for name in FAMILIES}
CANNOT_CHANGE = {
    # Reached through the types of params.yaml alone.
    "fetch": DATASETS | MODELS | {"detection", "inputs", "layer", "metrics", "rows", "scaling", "splits"},
    "normalise": MODELS | DOWNLOADING | {"detection", "layer", "metrics"},
    # The rows are divided and on disk; of other families only the settings' types are read, of `detection` nothing.
    "train": DATASETS | DOWNLOADING | ALL_FAMILIES | {"models.backbones", "models.transfer", "detection", "splits"},
    # What is put on a backbone is an mlp.
    "train_transfer": DATASETS
    | DOWNLOADING
    | (ALL_FAMILIES - {"models.mlp"})
    | {"models.estimator", "detection", "splits"},
    # A saved model brings its layers and its scaling; `load` and `predict` are called, and a detector's cells decoded.
    "evaluate": DATASETS | (MODELS - {"models.estimator", "models.network", "models.detector"}) | {"sources", "splits"},
    # Of `settings` it reads names and tasks. What metrics.json holds is the business of evaluate.
    "compare": DATASETS | MODELS | DOWNLOADING | {"detection", "inputs", "layer", "rows", "scaling", "splits"},
}
CANNOT_CHANGE |= {other: CANNOT_CHANGE[group] for group, other in SAME_CODE}


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


def code_in(deps: list[str]) -> set[str]:
    return {dep for dep in deps if dep.startswith(("src/", "pipeline/"))}


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


def test_every_module_has_its_layer():
    assert sorted(name for layer in LAYERS for name in layer) == sorted(MODULES)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_what_lies_below_it(name):
    height = next(number for number, layer in enumerate(LAYERS) if name in layer)
    assert project_imports(MODULES[name]) - set().union(*LAYERS[:height]) == set()


@pytest.mark.parametrize("name", sorted(ASIDE))
def test_what_stands_aside_knows_no_other_module(name):
    assert project_imports(MODULES[name]) <= ASIDE


def test_only_tracking_past_runs_and_the_registry_import_mlflow():
    assert {name.partition(".")[0] for name in importers_of("mlflow")} == {"tracking", "past_runs", "registry"}


def test_only_tuning_imports_optuna_and_what_draws_its_plots():
    assert {name.partition(".")[0] for name in importers_of("optuna", "plotly")} == {"tuning"}


def test_only_models_training_and_evaluation_may_import_keras():
    outside = importers_of("keras", "tensorflow") - {"training", "evaluation"}
    assert {name.partition(".")[0] for name in outside} == {"models"}


def test_only_the_runner_imports_dvc():
    assert importers_of("dvc") == {"runner", "runner.lockfile", "runner.process"}


def test_only_evaluation_opens_test_rows():
    written = [*MODULES.values(), *(ROOT / "pipeline").glob("*.py")]
    mention = {path.stem for path in written if "load_test" in path.read_text(encoding="utf-8")}
    assert mention == {"inputs", "evaluation"}


def test_each_group_of_stages_is_looked_at(stages):
    assert set(stages) == set(STAGES)


def test_only_evaluations_depend_on_test_rows(stages):
    readers = {name for name, stage in stages.items() if any(dep.endswith("/test") for dep in stage["deps"])}
    assert readers == EVALUATIONS
    told = {name for name, stage in stages.items() if "/test" in stage["cmd"]}
    assert told == {"normalise", *EVALUATIONS}


@pytest.mark.parametrize("stage, script", STAGES.items())
def test_a_stage_depends_on_all_code_that_can_change_its_result(stage, script, stages):
    needed = reached_from(ROOT / "pipeline" / f"{script}.py") - SETTINGS_AND_WIRING - CANNOT_CHANGE[stage]
    assert needed - covered_by(stages[stage]["deps"]) == set()
    assert f"pipeline/{script}.py" in stages[stage]["deps"]
    assert f"pipeline/{script}.py " in stages[stage]["cmd"]


@pytest.mark.parametrize("stage, script", STAGES.items())
def test_nothing_is_excused_that_a_stage_does_not_import_or_that_it_depends_on(stage, script, stages):
    assert CANNOT_CHANGE[stage] - reached_from(ROOT / "pipeline" / f"{script}.py") == set()
    assert CANNOT_CHANGE[stage] & covered_by(stages[stage]["deps"]) == set()


@pytest.mark.parametrize("one, other", SAME_CODE)
def test_groups_that_do_the_same_for_other_sections_depend_on_the_same_code(one, other, stages):
    assert code_in(stages[one]["deps"]) == code_in(stages[other]["deps"])


@pytest.mark.parametrize("stage", ["train_transfer", "pretrained:train"])
def test_a_transfer_depends_on_the_network_that_it_starts_from(stage, stages):
    _, backbone = stages[stage]["cmd"].split("--backbone ")
    assert backbone.strip() in stages[stage]["deps"]
    assert "${item.model.backbone}" in backbone


def test_stages_of_the_subfolder_run_in_the_folder_of_the_project(stages):
    assert {name for name, stage in stages.items() if stage.get("wdir")} == {
        name for name in STAGES if name.startswith("pretrained:")
    }
    assert {stage["wdir"] for stage in stages.values() if "wdir" in stage} == {".."}


def test_train_depends_on_its_own_family_and_never_on_the_folder(stages):
    deps = stages["train"]["deps"]
    assert "src/modelyard/models/${item.model.family}.py" in deps
    assert not {f"src/modelyard/models/{family}.py" for family in FAMILIES} & set(deps)


@pytest.mark.parametrize("stage", ["train", "train_transfer", "pretrained:train"])
def test_no_training_depends_on_the_folder_of_all_models(stage, stages):
    assert not {"src", "src/modelyard", "src/modelyard/models"} & {dep.rstrip("/") for dep in stages[stage]["deps"]}


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

    assert set(models._FAMILIES) == {*FAMILIES, "transfer"}
    assert all(module is sys.modules[f"modelyard.models.{name}"] for name, (_, module) in models._FAMILIES.items())


def test_a_kept_run_over_seeds_depends_on_all_code_that_can_change_its_figures():
    from modelyard.replication.single_run import CODE

    pictures_and_intervals = {"figures", "statistics"} | modules_in("figures")
    cannot_change = SETTINGS_AND_WIRING | DOWNLOADING | pictures_and_intervals | {"layer", "rows"}
    needed = reached_from(MODULES["measuring"]) - cannot_change
    assert needed - covered_by([f"src/modelyard/{name}" for name in CODE]) == set()


def test_what_cannot_change_results_is_no_dep(stages):
    idle = {f"src/modelyard/{name}.py" for name in ("tracking", "files", "config", "errors", "settings")}
    for stage in stages.values():
        assert not (idle | {"src/modelyard/cli"}) & set(stage["deps"])


def test_every_dep_in_the_source_is_there(stages):
    deps = {dep for stage in stages.values() for dep in stage["deps"] if dep.startswith(("src/", "pipeline/"))}
    assert [dep for dep in deps if "$" not in dep and not (ROOT / dep).exists()] == []


def test_a_transfer_reads_no_family_that_its_stages_do_not_depend_on():
    """But the settings of mlp, of which its stages know."""
    assert {name for name in project_imports(MODULES["models.transfer"]) if name in ALL_FAMILIES} == {"models.mlp"}


def modules_after(imports: str, folder: Path) -> set[str]:
    """The top-level packages that a fresh interpreter holds after some imports; `folder` is its empty place."""
    code = f"import sys\n{imports}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    found = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert list(folder.iterdir()) == [], "an import left something behind"
    return set(found.stdout.split())


def test_settings_load_nothing_heavy(tmp_path):
    heavy = {"tensorflow", "keras", "mlflow", "optuna", "dvc", "pandas", "scipy", "sklearn", "matplotlib"}
    assert modules_after("import modelyard.params.project, modelyard.cli", tmp_path) & heavy == set()


def test_no_stage_and_no_command_loads_tensorflow_or_mlflow_by_being_imported(tmp_path):
    scripts = "".join(f"import {script}\n" for script in SCRIPTS)
    found = modules_after(
        f"sys.path.insert(0, {str(ROOT / 'pipeline')!r})\nsys.dont_write_bytecode = True\n{scripts}"
        "import modelyard.cli.doctor, modelyard.cli.predict, modelyard.cli.promote, modelyard.cli.run, "
        "modelyard.cli.tune, modelyard.cli.ui\n"
        "import modelyard.cli.report, modelyard.cli.runs, modelyard.data.download, modelyard.experiments.compare\n"
        "import modelyard.cli.replicate, modelyard.cli.explain, modelyard.tracking.backfill, modelyard.tracking.provenance",
        tmp_path,
    )
    assert found & {"tensorflow", "keras", "mlflow", "optuna", "dvc"} == set()


def test_no_module_is_a_drawer_for_odds_and_ends():
    assert {"utils", "util", "helpers", "common", "misc"} & {path.stem for path in MODULES.values()} == set()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_fits_in_one_look(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.fixture(scope="module")
def runs(params) -> dict:
    """Every experiment of every section."""
    return params["experiments"] | params["transfers"] | params["pretrained"]


def test_every_experiment_names_its_notebook(params, runs):
    assert set(runs) == set(params["published"])
    assert all(entry["notebook"] for entry in params["published"].values())


def test_every_input_data_set_and_backbone_is_used(params, runs):
    assert {entry["input"] for entry in runs.values()} == set(params["inputs"])
    assert {entry["dataset"] for entry in params["inputs"].values()} == set(params["datasets"])
    assert {entry["model"]["backbone"] for entry in params["pretrained"].values()} == set(params["backbones"])


def test_a_plain_repro_needs_nothing_that_others_trained():
    from dvc.repo import Repo
    from networkx import descendants

    with Repo(str(ROOT)) as repo:
        graph = repo.index.graph
        ours = [stage for stage in graph if not stage.addressing.startswith("pretrained/")]
        needed = {each.addressing for stage in ours for each in descendants(graph, stage)}
    assert len(ours) > len(STAGES)
    assert not [name for name in needed if name.startswith("pretrained/")]
