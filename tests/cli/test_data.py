"""`modelyard data`: what it prints, at 80 columns too, what it writes, and its errors as one line."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.clones import surroundings
from support.commands import modelyard, table_row
from support.tables import assert_whole_words

from modelyard import params
from modelyard.core.files import sha256

TABLE = "id,area,agent,kind,price\n" + "".join(
    f"{row},{row * 7 % 50},agent {row},{'flat' if row % 3 else 'house'},{np.sin(row):.3f}\n" for row in range(60)
)


@pytest.fixture
def houses(project: Path) -> Path:
    """A table in a project."""
    (project / "houses.csv").write_text(TABLE)
    return project / "houses.csv"


def test_a_table_is_shown_with_its_entries(houses: Path) -> None:
    shown = modelyard("data", "show", "houses.csv", "--target", "price")
    assert shown.exit_code == 0, shown.output
    assert "houses.csv: 60 rows, 5 columns" in shown.output
    assert "taken as the index" in table_row(shown.output, "id")
    assert "text of 60 values in 60 rows: dropped" in table_row(shown.output, "agent")
    assert "Guessed: task: regression" in shown.output
    assert f"sha256: {sha256(houses)}" in shown.output.replace('"', "")
    assert "let --add houses write it" in shown.output
    without = modelyard("data", "show", "houses.csv")
    assert "Name the column to predict" in without.output
    assert "datasets:" not in without.output


def test_it_fits_in_80_columns(houses: Path) -> None:
    narrow, wide = (
        modelyard("data", "show", "houses.csv", "--target", "price", columns=columns).output for columns in (80, 300)
    )
    assert_whole_words(narrow, wide)
    assert max(len(line) for line in narrow.splitlines() if "sha256:" not in line) <= 80


def test_options_change_the_entries(houses: Path) -> None:
    options = ("--drop", "id", "--column", "agent=category", "--missing", "area=0", "--missing", "area=7")
    shown = modelyard("data", "show", "houses.csv", "--target", "kind", "--task", "classification", *options, "--json")
    found = json.loads(shown.output)
    dataset = found["entries"]["datasets"]["houses"]
    assert dataset["columns"] == {"id": "drop", "agent": "category"}
    assert dataset["missing"] == {"area": ["0", "7"]}
    assert {column["name"]: column["gaps"] for column in found["columns"]}["area"] == 4
    assert found["problem"] == ""


def test_a_table_of_a_german_spreadsheet(project: Path) -> None:
    text = "Größe;Tag;Preis\n" + "".join(f"{row},5;{row % 28 + 1:02}.01.2024;{row * row},1\n" for row in range(40))
    Path("haus.csv").write_bytes(text.encode("cp1252"))
    options = ("--separator", ";", "--decimal", ",", "--encoding", "cp1252", "--column", "Tag=date:%d.%m.%Y")
    added = modelyard("data", "show", "haus.csv", "--target", "Preis", *options, "--add", "haus")
    assert added.exit_code == 0, added.output
    written = params.load().datasets["haus"]
    assert (written.separator, written.decimal, written.encoding) == (";", ",", "cp1252")
    assert written.columns["Tag"].format == "%d.%m.%Y"


def test_entries_are_added_and_a_new_version_is_taken_over(houses: Path) -> None:
    added = modelyard("data", "show", "houses.csv", "--target", "price", "--add", "houses")
    assert added.exit_code == 0, added.output
    assert "Next: modelyard run houses_baseline houses_histogram_boosting houses_mlp" in added.output
    assert modelyard("data", "update", "houses").output.startswith("houses: unchanged")
    houses.write_text(TABLE + "60,99,agent 60,hut,0.5\n")
    updated = modelyard("data", "update", "houses")
    assert updated.exit_code == 0, updated.output
    assert "the checksum of the new houses.csv now" in updated.output
    assert "rows: 61; data/raw has no copy" in updated.output
    assert params.load().datasets["houses"].files["houses.csv"].sha256 == sha256(houses)
    assert json.loads(modelyard("data", "update", "houses", "--json").output)["unchanged"] is True


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("show", "nothing.csv"), "nothing.csv: no such file; check the path."),
        (("show", "houses.csv", "--target", "prise"), "no column 'prise' (--target); did you mean price?"),
        (("show", "houses.csv", "--add", "houses"), "--add needs the column to predict: --target COLUMN"),
        (("show", "houses.csv", "--missing", "area"), "--missing area: write COLUMN=VALUE"),
        (("show", "houses.csv", "--encoding", "utf-9"), "`encoding: utf-9` is unknown"),
        (("update", "nothing"), "no such data set: nothing"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], message: str, houses: Path) -> None:
    result = modelyard("data", *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_file_that_dvc_keeps_is_pulled(houses: Path) -> None:
    def run(*command: str) -> None:
        subprocess.run(command, cwd=houses.parent, env=surroundings(), check=True, capture_output=True)

    modelyard("data", "show", "houses.csv", "--target", "price", "--add", "houses")
    for command in (("git", "init", "-q"), ("dvc", "init", "-q"), ("dvc", "remote", "add", "-d", "r", "../remote")):
        run(*command)
    run("dvc", "add", "-q", "houses.csv")
    run("dvc", "push", "-q")
    houses.unlink()
    for arguments in (("data", "show", "houses.csv"), ("data", "update", "houses"), ("run", "houses_baseline")):
        result = modelyard(*arguments)
        assert "DVC keeps it: run `dvc pull houses.csv.dvc`" in result.output, result.output
    run("dvc", "pull", "-q", "houses.csv.dvc")
    assert modelyard("data", "update", "houses").output.startswith("houses: unchanged")
    houses.write_text(TABLE + "60,99,agent 60,hut,0.5\n")
    assert "Next: dvc add houses.csv && dvc push" in modelyard("data", "update", "houses").output
