"""A git repository with the settings of this project and made-up results, for tests of the report."""

import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from ruamel.yaml import YAML

from modelyard import params
from modelyard.core.files import write_json, write_text
from modelyard.params.results import results_folder
from modelyard.params.variants import resolve
from modelyard.replication.series import Series
from support.paths import PARAMS, ROOT
from support.repositories import git

REGRESSION = {"loss": 20.0, "mae": 3.0, "mse": 20.0, "r2": 0.7, "correlation": 0.85}
CLASSIFICATION = {"loss": 0.3, "accuracy": 0.9, "macro_f1": 0.88}
DIGITS = {str(digit): {"rows": 36, "precision": 0.9, "recall": 0.95, "f1": 0.924} for digit in range(10)}
CLAIM = {
    "says": "Regression does better standardised",
    "notebook": "004",
    "first": {"experiment": "boston_mlp", "changes": {"input": "boston_standard"}, "values": []},
    "second": {"experiment": "boston_mlp", "changes": {}, "values": []},
    "metric": "correlation",
    "direction": "higher",
    "smallest": 0.01,
    "seeds": 8,
    "splits": False,
    "changes": {"training.epochs": 5},
    "pairs": 8,
    "difference": {"mean": 0.03, "sd": 0.02, "low": 0.01, "high": 0.05},
    "p_value_for": 0.003,
    "p_value_against": 1.0,
    "verdict": "holds",
    "remark": "",
}
PROJECT = params.load(PARAMS)
BOSTON = resolve(PROJECT, "boston_mlp", {})
BY_SEED, BY_SPLIT = (Series("boston_mlp", BOSTON, PROJECT.runtime, splits).settings_digest for splits in (False, True))
REPLICATION = f"""experiment,splits,metric,seeds,mean,sd,low,high,least,most,published,z,inside,settings
boston_mlp,False,correlation,8,0.79,0.02,0.773279,0.806721,0.765,0.823,0.7958,0.29,True,{BY_SEED}
boston_mlp,False,mae,8,3.1,0.1,3.0164,3.1836,2.9,3.3,,,,{BY_SEED}
boston_mlp,True,correlation,1,0.8,,,,0.8,0.8,0.7958,,False,{BY_SPLIT}
"""
LARGE = (900, 1200)  # pixels: larger than the screens of the browser tests
LOCK = """schema: '2.0'
stages:
  fetch@boston:
    outs:
    - {path: data/raw/boston, md5: 0123456789abcdef0123456789abcdef.dir}
  train@boston_mlp:
    outs:
    - {path: results/boston_mlp/model, md5: fedcba9876543210fedcba9876543210.dir}
"""
PRETRAINED_LOCK = """schema: '2.0'
stages:
  train@cifar10_vgg16:
    outs:
    - {path: pretrained/results/cifar10_vgg16/model, md5: 00112233445566778899aabbccddeeff.dir}
"""
SECONDS = {
    "train@boston_mlp": 4.25,
    "evaluate@boston_mlp": 90,
    "pretrained/dvc.yaml:train@cifar10_vgg16": 12,
    "pretrained/dvc.yaml:evaluate@cifar10_vgg16": 3,
}
STUDY = """# Study digits_cnn

**Best 0.99** <script>alert(1)</script> and [more](https://example.org/more.html).

| trials | 20 |
| --- | --- |
| epochs | 90 |

![History](history.png)
![Outside](https://example.org/outside.png)
"""


def make_project(folder: Path) -> Path:
    """Three experiments built here, one of them pretrained, one committed earlier, and one of everything else."""
    folder.mkdir(parents=True)
    for name in ("params.yaml", "published.yaml", "claims.yaml"):
        shutil.copyfile(ROOT / name, folder / name)
    write_text(folder / ".gitignore", "/reports/index.html\n/reports/report.md\ncard.md\n")
    write_text(folder / "dvc.lock", LOCK)
    write_text(folder / "pretrained" / "dvc.lock", PRETRAINED_LOCK)
    make_results(folder, "boston_mlp", REGRESSION)
    make_results(folder, "digits_cnn", CLASSIFICATION, {"classes": DIGITS})
    make_results(folder, "boston_linear", REGRESSION, is_built=False)
    make_results(folder, "cifar10_vgg16", CLASSIFICATION, section="pretrained")
    for name in ("boston", "boston_standard"):
        write_json(folder / "data" / "inputs" / name / "data.json", data_card())
    write_json(folder / ".dvc" / "tmp" / "runner" / "seconds.json", SECONDS)
    write_json(folder / "reports" / "claims.json", {"claims": {"standardised": CLAIM}})
    write_text(folder / "reports" / "replication.csv", REPLICATION)
    write_text(folder / "reports" / "tuning" / "digits_cnn" / "report.md", STUDY)
    draw(folder / "reports" / "tuning" / "digits_cnn" / "history.png")
    draw(folder / "reports" / "explain" / "boston.png")
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "Made up")
    return folder


def make_results(
    folder: Path,
    name: str,
    metrics: dict[str, float],
    details: dict[str, Any] | None = None,
    is_built: bool = True,
    section: str = "experiments",
) -> None:
    """Write results of an experiment, with the interval of each metric 0.01 to either side."""
    results = folder / results_folder(section, name)
    intervals = {metric: [value - 0.01, value + 0.01] for metric, value in metrics.items()}
    write_json(results / "metrics.json", metrics)
    write_json(results / "details.json", {"rows": 360, "intervals": intervals, **(details or {})})
    if is_built:
        (results / "model").mkdir()
        write_text(results / "history.csv", "epoch,loss,val_loss\n1,9.5,8.5\n2,1.25,\n")
        draw(results / "figures" / "confusion.png")
        draw(results / "figures" / "learning_curve.png", LARGE)


def data_card() -> dict[str, Any]:
    """A data card of two parts that share one sample."""
    part = {"rows": 404, "dtype": "float64", "smallest": 0.0, "largest": 711.0, "missing_values": 0}
    target = {"smallest": 5.0, "mean": 22.5, "largest": 50.0}
    return {
        "shape_of_a_row": [13],
        "parts": {"training": part | {"target": target}, "test": part | {"rows": 102, "target": target}},
        "constant_features": {"count": 0, "names": []},
        "distinct_rows_in_both_training_and_test": 1,
    }


def draw(path: Path, size: tuple[int, int] = (60, 40)) -> None:
    """Write an image of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "orange").save(path)


def edit(path: Path, *keys: str, value: object) -> None:
    """Set one value of a YAML file, or remove it if the value is None."""
    content = YAML(typ="safe").load(path)
    entries = content
    for key in keys[:-1]:
        entries = entries[key]
    if value is None:
        del entries[keys[-1]]
    else:
        entries[keys[-1]] = value
    YAML().dump(content, path)


def commit(folder: Path, subject: str) -> None:
    """Commit all files."""
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", subject)
