"""A new version of a table: what changed, its checksum in params.yaml, and what is refused with nothing written."""

import shutil
from pathlib import Path

import pytest
from support.images import make_folder

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.core.files import sha256
from modelyard.data.trees import checksum_of, pack
from modelyard.params.new_version import NewVersion, take_over

TABLE = "area,kind,price\n" + "".join(f"{row},{'flat' if row % 2 else 'house'},{row * 2 + 1}\n" for row in range(40))
EMPTY_SECTIONS = """\
runtime: {}
transfers: {}
backbones: {}
pretrained: {}
studies: {}
batches: {}
"""
PARAMS = (
    EMPTY_SECTIONS
    + """\
datasets:
  houses: # mine
    reader: table
    task: regression
    description: Houses
    target: price
    files:
      houses.csv: {path: my/houses.csv, sha256: %s} # of May
    expect: {rows: 40, target_range: [0, 500]}
  inline:
    reader: table
    task: regression
    description: Houses
    target: price
    files: {a.csv: {text: "a,price"}}
inputs:
  houses: {dataset: houses, split: {test: 0.2, test_seed: 1}, scaling: standard}
experiments: {}
"""
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The table, with its copy and its entry."""
    path = tmp_path / "my" / "houses.csv"
    path.parent.mkdir()
    path.write_text(TABLE)
    (tmp_path / "data/raw/houses").mkdir(parents=True)
    shutil.copy(path, tmp_path / "data/raw/houses")
    (tmp_path / "params.yaml").write_text(PARAMS % sha256(path))
    return path


def update(file: Path, name: str = "houses") -> NewVersion:
    root = file.parents[1]
    return take_over(name, root, root / "params.yaml")


def test_an_equal_file_is_unchanged(file: Path) -> None:
    before = (file.parents[1] / "params.yaml").read_text()
    assert update(file) == NewVersion(file)
    assert (file.parents[1] / "params.yaml").read_text() == before


def test_the_checksum_and_the_rows_are_written_and_nothing_else(file: Path) -> None:
    old, before = sha256(file), (file.parents[1] / "params.yaml").read_text()
    file.write_text(TABLE + "99,hut,100\n")
    done = update(file)
    after = (file.parents[1] / "params.yaml").read_text()
    assert after == before.replace(old, sha256(file)).replace("rows: 40", "rows: 41")
    assert (done.rows_before, done.rows, done.expected_rows, done.problems) == (40, 41, 41, ())
    assert dict(done.changes) == {"area": "0 to 39, now 0 to 99", "kind": "new: hut", "price": "1 to 79, now 1 to 100"}
    assert params.load(file.parents[1] / "params.yaml").datasets["houses"].expect.rows == 41
    assert update(file).checksum == ""


def test_without_a_copy_of_the_last_version_nothing_is_compared(file: Path) -> None:
    (file.parents[1] / "data/raw/houses/houses.csv").write_text("another version")
    file.write_text(TABLE + "99,hut,100\n")
    assert (update(file).rows_before, sha256(file) in (file.parents[1] / "params.yaml").read_text()) == (None, True)


def test_an_input_that_can_no_longer_be_built_is_told(file: Path) -> None:
    file.write_text(TABLE.replace("\n7,", "\n,"))
    ((name, problem),) = update(file).problems
    assert name == "houses"
    assert "imputation: {area: median}" in problem


@pytest.mark.parametrize(
    "new, message",
    [
        (TABLE.replace("price", "cost"), "no column 'price' (target)"),
        (TABLE.replace("\n7,", "\nseven,"), "row 8 below the header: 'seven' in column 'area'"),
        (TABLE + '"', "my/houses.csv: not a CSV table"),
        ("", "it is empty"),
        (TABLE + "1,flat,501\n", "expect.target_range: (0.0, 500.0) expected, 1 to 501 found"),
    ],
)
def test_a_version_that_cannot_be_used_is_refused(new: str, message: str, file: Path) -> None:
    before = (file.parents[1] / "params.yaml").read_text()
    file.write_text(new)
    with pytest.raises(ModelyardError) as raised:
        update(file)
    assert message in str(raised.value)
    assert (file.parents[1] / "params.yaml").read_text() == before


def test_other_data_sets_and_missing_files_are_refused(file: Path) -> None:
    with pytest.raises(ModelyardError, match="no such data set: house; did you mean houses"):
        update(file, "house")
    with pytest.raises(ModelyardError, match="data set inline is neither a table nor images with a `path`"):
        update(file, "inline")
    file.unlink()
    with pytest.raises(ModelyardError, match=r"houses\.csv: no such file; check the path"):
        update(file)
    file.with_name("houses.csv.dvc").write_text("outs: []")
    with pytest.raises(ModelyardError, match=r"DVC keeps it: run `dvc pull .*my/houses\.csv\.dvc`"):
        update(file)


# --- images ---

IMAGES = (
    EMPTY_SECTIONS
    + """\
datasets:
  photos: # mine
    reader: images
    task: classification
    description: Photos
    size: [8, 8]
    colour: grey
    files:
      photos.tar: {path: my/photos, tree: %s} # of May
    expect: {rows: 24}
inputs:
  photos: {dataset: photos, split: {test: 0.25, test_seed: 1, stratify: true}, scaling: pixels}
experiments: {}
"""
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of images, with its copy and its entry."""
    folder = make_folder(tmp_path / "my" / "photos", 12)
    (tmp_path / "data/raw/photos").mkdir(parents=True)
    pack(folder, tmp_path / "data/raw/photos/photos.tar")
    (tmp_path / "params.yaml").write_text(IMAGES % checksum_of(folder))
    return folder


def test_a_new_version_of_a_folder_is_compared_by_class_and_its_checksum_written(photos: Path) -> None:
    root = photos.parents[1]
    assert update(photos, "photos") == NewVersion(photos)
    old, before = checksum_of(photos), (root / "params.yaml").read_text()
    (photos / "dark/000.png").unlink()
    shutil.copy(photos / "dark/002.png", photos / "dark/001.png")
    make_folder(photos / "new", 2)
    (photos / "new/bright").rename(photos / "grey")
    shutil.rmtree(photos / "new")
    done = update(photos, "photos")
    after = (root / "params.yaml").read_text()
    assert after == before.replace(old, checksum_of(photos)).replace("rows: 24", "rows: 25")
    assert (done.unit, done.rows_before, done.rows, done.expected_rows) == ("images", 24, 25, 25)
    assert dict(done.changes) == {
        "dark": "12 images, now 11",
        "grey": "new: 2 images",
        "files": "2 new, 1 gone, 1 changed",
    }
    assert done.problems == ()
    assert update(photos, "photos").checksum == ""


def test_a_new_version_that_can_no_longer_be_divided_is_told(photos: Path) -> None:
    (photos.parents[1] / "data/raw/photos/photos.tar").unlink()
    for file in sorted((photos / "dark").iterdir())[2:]:
        file.unlink()
    text = (photos.parents[1] / "params.yaml").read_text()
    (photos.parents[1] / "params.yaml").write_text(text.replace("test: 0.25", "test: 0.05"))
    done = update(photos, "photos")
    assert (done.rows, done.rows_before, done.changes) == (14, None, ())
    assert "`stratify` needs" in done.problems[0][1]


def test_images_that_are_left_out_count_in_neither_version(photos: Path) -> None:
    root = photos.parents[1]
    (photos / "dark/notes.png").write_text("no image")
    pack(photos, root / "data/raw/photos/photos.tar")
    settings = (IMAGES % checksum_of(photos)).replace("size: [8, 8]", "size: [8, 8]\n    broken: leave_out")
    (root / "params.yaml").write_text(settings)
    shutil.copy(photos / "dark/002.png", photos / "dark/more.png")
    done = update(photos, "photos")
    assert (done.rows_before, done.rows, done.expected_rows) == (24, 25, 25)


@pytest.mark.parametrize("change", ["broken", "class", "link"])
def test_a_folder_that_cannot_be_used_is_refused(change: str, photos: Path) -> None:
    before = (photos.parents[1] / "params.yaml").read_text()
    if change == "broken":
        (photos / "dark/000.png").write_text("no image")
        message = "params.yaml is unchanged, because .* dark/000.png: not an image"
    elif change == "class":
        (photos / "dark").rename(photos / "Bright")
        message = "the folders 'Bright' and 'bright' are probably one class"
    else:
        (photos / "dark/link.png").symlink_to("/etc/passwd")
        message = "dark/link.png is a link that leads outside"
    with pytest.raises(ModelyardError, match=f"(?s){message}"):
        update(photos, "photos")
    assert (photos.parents[1] / "params.yaml").read_text() == before
    shutil.rmtree(photos)
    with pytest.raises(ModelyardError, match="my/photos: no such folder; check the path"):
        update(photos, "photos")
