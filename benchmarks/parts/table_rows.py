"""Prepares and fits tables of 50 made-up columns, with more and more rows."""

from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.project_clone import ProjectClone, clone_project, keep_only
from benchmarks.sizes import Size
from modelyard.core.files import checksum

NUMBERS, CATEGORIES = 40, 8  # and a date, a flag and the target


def measure(size: Size, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """For each number of rows: resources of preparing the table, and of fitting and evaluating a model."""
    for rows in size.table_rows:
        if str(rows) not in done:
            with clone_project(lambda params: keep_only(params, [])) as clone:
                _add(clone, rows)
                prepare = clone.run("dvc", "repro", "--quiet", "normalise@rows")
                fit = clone.run("modelyard", "run", "rows")
                yield str(rows), {"prepare": asdict(prepare), "fit": asdict(fit)}


def make_table(rows: int, file: Path) -> None:
    """Write a CSV file with numbers, of which some are missing, categories, a date and a flag."""
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {f"number_{n}": random.normal(size=rows).round(4) for n in range(NUMBERS)}
    columns["number_0"][::100] = np.nan
    columns |= {f"category_{n}": random.choice(["red", "green", "blue"], rows) for n in range(CATEGORIES)}
    columns["when"] = pd.date_range("2020-01-01", periods=rows, freq="min").strftime("%Y-%m-%d %H:%M")
    columns["flag"] = random.choice(["True", "False"], rows)
    columns["y"] = (columns["number_1"] + random.normal(size=rows)).round(4)
    pd.DataFrame(columns).to_csv(file, index=False)


def _add(clone: ProjectClone, rows: int) -> None:
    file = clone.root / "rows.csv"
    make_table(rows, file)
    dataset = {
        "reader": "table",
        "task": "regression",
        "description": "Made up.",
        "target": "y",
        "files": {file.name: {"path": file.name, "sha256": checksum(file, "sha256")}},
    }
    split = {"test": 0.2, "test_seed": 0, "validation": 0.1}
    made = {"dataset": "rows", "split": split, "scaling": "standard", "imputation": "median"}
    model = {"input": "rows", "model": {"family": "histogram_boosting"}, "training": {"seed": 0}}

    def change(params: dict[str, Any]) -> None:
        params |= {"datasets": {"rows": dataset}, "inputs": {"rows": made}, "experiments": {"rows": model}}

    clone.rewrite("params.yaml", change)
