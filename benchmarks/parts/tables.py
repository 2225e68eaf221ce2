"""People's own tables: from the file to the results without editing a line, beside a plain scikit-learn pipeline."""

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from benchmarks.project_clone import ROOT, ProjectClone, clone_project, keep_only
from benchmarks.sizes import Size
from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.mirrors import all_mirrors
from modelyard.data.splits import divide_test, divide_validation, find_divider
from modelyard.metrics.definitions import headline_metric
from modelyard.params import Project, load

FOLDER = "tables"  # of a mirror
TARGETS = {"penguins": "species", "titanic": "Survived", "california_housing": "median_house_value", "taxis": "fare"}
COMPARED = "histogram_boosting"


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """For each table: seconds of each command, and the metric of both sides, with the pipeline's interval."""
    for name in size.tables:
        if name not in done:
            with clone_project(lambda params: keep_only(params, [])) as clone:
                file = clone.root / f"{name}.csv"
                shutil.copy(_find(file.name), file)
                show = clone.run("modelyard", "data", "show", file.name, "--target", TARGETS[name], "--add", name)
                project = load(clone.root / "params.yaml")
                run = clone.run("modelyard", "run", *project.experiments)
                yield (
                    name,
                    _compare(clone, project, name)
                    | {
                        "show_seconds": show.wall_seconds,
                        "run_seconds": run.wall_seconds,
                        "experiments": len(project.experiments),
                    },
                )


def _find(file: str) -> Path:
    mirrors = all_mirrors(load(ROOT / "params.yaml").fetch, ROOT)
    found = [path for mirror in mirrors if (path := Path(mirror) / FOLDER / file).exists()]
    if not found:
        raise ModelyardError(f"no mirror has {FOLDER}/{file}: name one in MODELYARD_MIRROR")
    return found[0]


def _compare(clone: ProjectClone, project: Project, name: str) -> dict[str, Any]:
    """The metric of the pipeline with its interval, and that of a plain scikit-learn pipeline on the same split."""
    experiment = next(each for each, entry in project.experiments.items() if entry.model.family == COMPARED)
    metric = headline_metric(project.task_of(experiment))
    ours = clone.metrics(experiment)
    return {
        "metric": metric,
        "value": ours["metrics"][metric],
        "interval": ours["intervals"][metric],
        "plain": _plain(clone, project, experiment, TARGETS[name]),
    }


def _plain(clone: ProjectClone, project: Project, experiment: str, target: str) -> float:
    """The metric of a ColumnTransformer and the same estimator, with the columns, split and seed of an experiment."""
    entry = project.inputs[project.experiments[experiment].input]
    dataset = project.datasets[entry.dataset]
    raw = readers.read(dataset, clone.raw / entry.dataset)
    divider = find_divider(entry.split, raw.samples, raw.keys, raw.texts, raw.classes)
    kept, test = divide_test(len(raw.samples), entry.split, divider)
    order, held_out = divide_validation(len(kept), entry.split, divider and divider.take(kept))
    training = kept[order][: len(kept) - held_out]
    table = pd.read_csv(clone.root / next(iter(dataset.files)))
    used = [name for name in table.columns if name != target and dataset.columns.get(name) != "drop"]
    features, truth = _features(table[used]), table[target]
    categories = features.select_dtypes(exclude="number").columns
    model = _pipeline(categories, project.experiments[experiment].training.seed, dataset.task)
    if entry.target_scaling == "log":
        model = TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)
    model.fit(features.iloc[training], truth.iloc[training])
    predicted, true = model.predict(features.iloc[test]), truth.iloc[test]
    if dataset.task == "classification":
        return float(np.mean(predicted == true))
    return float(np.corrcoef(predicted, true)[0, 1])


def _features(table: pd.DataFrame) -> pd.DataFrame:
    """Dates as their parts, as a person would write it; the other columns as they are."""
    columns = {}
    for name, values in table.items():
        dates = pd.to_datetime(values, format="%Y-%m-%d %H:%M:%S", errors="coerce") if values.dtype == "str" else None
        if dates is not None and dates.notna().all():
            days = (dates - dates.min()) / pd.Timedelta(days=1)
            parts = {"month": dates.dt.month, "weekday": dates.dt.weekday, "hour": dates.dt.hour, "days": days}
            columns |= {f"{name} {part}": part_values for part, part_values in parts.items()}
        else:
            columns[str(name)] = values
    return pd.DataFrame(columns)


def _pipeline(names: Collection[str], seed: int, task: str) -> Any:
    """Categories, with these names, as numbers that the estimator does not take for quantities."""
    codes = OrdinalEncoder(min_frequency=10, handle_unknown="use_encoded_value", unknown_value=np.nan)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            (
                "categories",
                make_pipeline(SimpleImputer(strategy="most_frequent"), codes),
                make_column_selector(dtype_exclude="number"),
            ),
        ]
    ).set_output(transform="pandas")
    categories = [f"categories__{name}" for name in names]
    estimators = {"classification": HistGradientBoostingClassifier, "regression": HistGradientBoostingRegressor}
    return make_pipeline(
        columns, estimators[task](categorical_features=categories, random_state=seed, early_stopping=False)
    )
