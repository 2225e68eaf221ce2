"""`modelyard data`: what it prints, at 80 columns too, what it writes, and its errors as one line."""

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.clones import surroundings
from support.commands import modelyard, table_row
from support.images import make_folder
from support.tables import assert_whole_words

from modelyard import params
from modelyard.core.files import sha256
from modelyard.data.trees import checksum_of

TABLE = "id,area,agent,kind,price\n" + "".join(
    f"{row},{row * 7 % 50},agent {row},{'flat' if row % 3 else 'house'},{np.sin(row):.3f}\n" for row in range(60)
)


@pytest.fixture
def houses(project: Path) -> Path:
    """A table in a project."""
    (project / "houses.csv").write_text(TABLE)
    return project / "houses.csv"


@pytest.mark.parametrize("name", ["houses.xlsx", "houses.png"])
def test_a_file_that_is_no_table_is_refused_with_what_is_read(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:  # as spreadsheets are
        archive.writestr("xl/workbook.xml", "")
        archive.writestr("xl/styles.xml", "")
    result = modelyard("data", "show", str(tmp_path / name))
    assert result.exit_code == 1
    assert f"{name}: a file *{Path(name).suffix} is not read as a table: give tables (CSV, Parquet" in result.output


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
    assert {column["name"]: column["missing"] for column in found["columns"]}["area"] == 4
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
        assert "put your file there" not in result.output
    run("dvc", "pull", "-q", "houses.csv.dvc")
    assert modelyard("data", "update", "houses").output.startswith("houses: unchanged")
    houses.write_text(TABLE + "60,99,agent 60,hut,0.5\n")
    assert "Next: dvc add houses.csv && dvc push" in modelyard("data", "update", "houses").output


# --- images ---


def test_a_name_with_a_blank_is_quoted_for_the_shell(houses: Path) -> None:
    houses = houses.rename(houses.with_name("my houses.csv"))
    modelyard("data", "show", "my houses.csv", "--target", "price", "--add", "houses")
    houses.with_name("my houses.csv.dvc").touch()
    houses.write_text(TABLE + "60,99,agent 60,flat,0.5\n")
    assert "Next: dvc add 'my houses.csv' && dvc push" in modelyard("data", "update", "houses").output


@pytest.fixture
def photos(project: Path) -> Path:
    """A folder of images in a project."""
    return make_folder(project / "photos", 20)


def test_images_are_shown_with_their_entries(photos: Path) -> None:
    shown = modelyard("data", "show", "photos")
    assert shown.exit_code == 0, shown.output
    assert "photos: 40 images, 2 classes" in shown.output
    assert table_row(shown.output, "bright").split() == ["bright", "20"]
    assert "Sizes: all 8 x 8" in shown.output
    assert "Modes: 40 L" in shown.output
    assert "Guessed: colour: grey, because no image has colours" in shown.output
    assert f"tree: {checksum_of(photos)}" in shown.output.replace('"', "")
    assert "let --add photos write it" in shown.output


def test_images_fit_in_80_columns(photos: Path) -> None:
    narrow, wide = (modelyard("data", "show", "photos", columns=columns).output for columns in (80, 300))
    assert_whole_words(narrow, wide)
    assert max(len(line) for line in narrow.splitlines() if "tree:" not in line) <= 80


def test_options_change_the_entries_of_images(photos: Path) -> None:
    (photos / "dark/notes.txt").write_text("text")
    options = ("--size", "16x12", "--colour", "rgb", "--fit", "crop", "--broken", "leave_out", "--json")
    found = json.loads(modelyard("data", "show", "photos", *options).output)
    dataset = found["entries"]["datasets"]["photos"]
    assert {key: dataset[key] for key in ("size", "colour", "fit", "broken")} == {
        "size": [16, 12], "colour": "rgb", "fit": "crop", "broken": "leave_out",
    }  # fmt: skip
    assert (found["images"], found["classes"]["dark"], found["problem"]) == (40, {"train": 20}, "")
    assert list(found["broken"]) == ["dark/notes.txt"]
    square = json.loads(modelyard("data", "show", "photos", "--size", "24", "--json").output)
    assert square["entries"]["datasets"]["photos"]["size"] == [24, 24]


def test_images_are_added_and_a_new_version_is_taken_over(photos: Path) -> None:
    added = modelyard("data", "show", "photos", "--add", "animals")
    assert added.exit_code == 0, added.output
    assert "Next: modelyard run animals_baseline animals_cnn" in added.output
    assert modelyard("data", "update", "animals").output.startswith("animals: unchanged")
    (photos / "dark/000.png").unlink()
    updated = modelyard("data", "update", "animals")
    assert updated.exit_code == 0, updated.output
    assert "the checksum of the new photos now" in updated.output
    assert "images: 39; data/raw has no copy" in updated.output
    assert params.load().datasets["animals"].files["photos.tar"].tree == checksum_of(photos)


def test_broken_images_are_named_and_nothing_is_added(photos: Path) -> None:
    (photos / "dark/notes.txt").write_text("text")
    before = Path("params.yaml").read_bytes()
    result = modelyard("data", "show", "photos", "--add", "photos")
    assert result.exit_code == 1
    assert "dark/notes.txt: not an image" in result.output
    assert "leave them out: --broken leave_out" in result.output
    assert Path("params.yaml").read_bytes() == before


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("show", "photos", "--target", "price"), "--target is for tables, and photos holds images: leave it out"),
        (("show", "photos", "--drop", "a"), "--drop is for tables"),
        (("show", "houses.csv", "--size", "8"), "--size is for images, and houses.csv is a table: leave it out"),
        (("show", "photos", "--size", "8,8"), "--size 8,8: write HEIGHTxWIDTH, such as 64x64"),
        (("show", "photos", "--size", "0"), "--size"),
        (("show", "photos/dark"), "images are expected in a folder for each class"),
    ],
)
def test_a_mistake_about_images_is_one_line(
    arguments: tuple[str, ...], message: str, houses: Path, photos: Path
) -> None:
    result = modelyard("data", *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_folder_of_images_that_dvc_keeps_is_pulled(photos: Path) -> None:
    def run(*command: str) -> None:
        subprocess.run(command, cwd=photos.parent, env=surroundings(), check=True, capture_output=True)

    modelyard("data", "show", "photos", "--add", "photos")
    for command in (("git", "init", "-q"), ("dvc", "init", "-q"), ("dvc", "remote", "add", "-d", "r", "../remote")):
        run(*command)
    run("dvc", "add", "-q", "photos")
    run("dvc", "push", "-q")
    shutil.rmtree(photos)
    for arguments in (("data", "show", "photos"), ("data", "update", "photos"), ("run", "photos_baseline")):
        result = modelyard(*arguments)
        assert "DVC keeps it: run `dvc pull photos.dvc`" in result.output, result.output
    run("dvc", "pull", "-q", "photos.dvc")
    assert modelyard("data", "update", "photos").output.startswith("photos: unchanged")
    (photos / "dark/000.png").unlink()
    refused = modelyard("run", "photos_baseline")
    assert refused.exit_code == 1
    assert "photos is not the folder that params.yaml means: its files have the checksum" in refused.output
    assert "Next: dvc add photos && dvc push" in modelyard("data", "update", "photos").output
