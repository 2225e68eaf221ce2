"""Bring the README's result table and pictures up to date with the last rebuild."""

import re
import shutil
from pathlib import Path

import pandas as pd

from modelyard.comparison import markdown_table, overview
from modelyard.files import write_text

README = Path("README.md")
PICTURES = (
    "results/fashion_cnn/figures/first_training_images.png",
    "results/mnist_cnn/figures/learning_curve.png",
)


def result_table() -> str:
    """The overview of reports/comparison.csv as a Markdown table."""
    compared = pd.read_csv("reports/comparison.csv", dtype={"notebook": str})
    table = overview(compared.fillna({"notebook": "", "note": ""}))
    return markdown_table(list(table.columns), table.itertuples(index=False))


def filled(readme: str) -> str:
    """The README with its result table replaced."""
    return re.sub(r"(?s)(<!-- results -->\n).*?(\n<!-- end -->)", rf"\g<1>{result_table()}\g<2>", readme)


if __name__ == "__main__":
    write_text(README, filled(README.read_text(encoding="utf-8")))
    for picture in map(Path, PICTURES):
        shutil.copyfile(picture, Path("docs/pictures") / f"{picture.parts[1]}_{picture.name}")
