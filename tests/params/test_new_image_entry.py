"""Entries for a folder of one's own images: proposed, tried out, and written into params.yaml."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.images import make_folder
from support.paths import ROOT

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.core.files import sha256
from modelyard.data import readers
from modelyard.data.inputs import prepare
from modelyard.data.trees import checksum_of
from modelyard.params.new_entry import add
from modelyard.params.new_image_entry import ImageProposal, propose_images


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    make_folder(tmp_path / "photos", 20, (28, 28))
    return tmp_path


def propose(path: str = "photos", name: str = "", **given: object) -> ImageProposal:
    return propose_images(Path(path), given, name)


def test_the_entries_of_a_folder(project: Path) -> None:
    proposal = propose()
    assert proposal.problem == ""
    assert proposal.entries["datasets"] == {
        "photos": {
            "reader": "images",
            "task": "classification",
            "description": "Classes of the images in photos",
            "size": [28, 28],
            "colour": "grey",
            "files": {"photos.tar": {"path": "photos", "tree": checksum_of(Path("photos"))}},
        }
    }
    assert proposal.entries["inputs"] == {
        "photos": {
            "dataset": "photos",
            "split": {"test": 0.2, "test_seed": 1, "validation": 0.2, "stratify": True},
            "scaling": "pixels",
        }
    }
    models = {name: entry["model"]["family"] for name, entry in proposal.entries["experiments"].items()}
    assert models == {"photos_baseline": "baseline", "photos_cnn": "cnn"}
    assert [text.partition(",")[0] for text in proposal.guesses] == ["size: [28", "colour: grey"]
    assert any("keep it out of git" in text for text in proposal.remarks)


def test_a_folder_with_a_blank_in_its_name_is_quoted_for_the_shell(project: Path) -> None:
    (project / "photos").rename(project / "my photos")
    assert any("with `dvc add 'my photos'`" in text for text in propose("my photos").remarks)


@pytest.mark.parametrize("kind", ["folder", "parts", "zip"])
def test_entries_are_added_and_can_be_built(kind: str, project: Path) -> None:
    path = Path("photos")
    if kind == "parts":
        make_folder(project / "both/train", 20)
        make_folder(project / "both/test", 5)
        path = Path("both/")
    if kind == "zip":
        path = Path(shutil.make_archive("My Fotos é", "zip", "photos")).relative_to(project)
    before = Path("params.yaml").read_text().splitlines()
    files = sorted(project.rglob("*"))
    add(propose_images(path, {"size": [16, 12], "colour": "rgb", "fit": "crop"}, "mine"))
    assert sorted(project.rglob("*")) == files
    lines = iter(Path("params.yaml").read_text().splitlines())
    assert all(line in lines for line in before)
    loaded = params.load()
    loaded.files_of("mine", project).fetch(project / "raw")
    raw = readers.read(loaded.datasets["mine"], project / "raw")
    training, test = prepare(raw, "classification", loaded.inputs["mine"])
    assert training.description.shape == (16, 12, 3)
    assert (len(training.training), len(training.validation), len(test)) == (
        (32, 8, 10) if kind == "parts" else (25, 7, 8)
    )
    if kind == "zip":
        ((name, source),) = loaded.datasets["mine"].files.items()
        assert (name, source.sha256) == ("My_Fotos_.zip", sha256(path))


def test_a_model_is_proposed_that_the_size_allows(project: Path) -> None:
    for size, filters in {1: [16], 4: [16], 8: [16, 32], 16: [16, 32, 64], 512: [16, 32, 64]}.items():
        entries = propose(size=[size, 2 * size]).entries["experiments"]
        assert entries["photos_cnn"]["model"]["filters"] == filters


def test_broken_files_are_a_problem_unless_they_are_left_out(project: Path) -> None:
    Path("photos/dark/notes.txt").write_text("text")
    proposal = propose()
    assert "dark/notes.txt: not an image" in proposal.problem
    assert proposal.problem.endswith("or leave them out: --broken leave_out")
    before = Path("params.yaml").read_bytes()
    with pytest.raises(ModelyardError, match="could not be built"):
        add(proposal)
    assert Path("params.yaml").read_bytes() == before
    left_out = propose(broken="leave_out")
    assert left_out.problem == ""
    add(left_out)
    assert params.load().datasets["photos"].broken == "leave_out"


def test_too_few_images_to_divide_are_a_problem(project: Path) -> None:
    for label in ("bright", "dark"):
        for file in sorted(Path("photos", label).iterdir())[2:]:
            file.unlink()
    assert "`stratify` needs" in propose().problem


@pytest.mark.parametrize(
    "given, message",
    [
        ({"size": [0, 8]}, "--size"),
        ({"colour": "gray"}, "--colour: 'gray' is not possible"),
        ({"fit": "fill"}, "--fit: 'fill' is not possible"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(given: dict, message: str, project: Path) -> None:
    with pytest.raises(ModelyardError, match=message):
        propose(**given)


def test_a_missing_folder_is_refused(project: Path) -> None:
    with pytest.raises(ModelyardError, match="fotos: no such file or folder; check the path"):
        propose("fotos")
    Path("fotos.dvc").write_text("outs: []")
    with pytest.raises(ModelyardError, match=r"DVC keeps it: run `dvc pull fotos\.dvc`"):
        propose("fotos")


def test_a_folder_of_another_place_or_name_is_named_by_its_path(project: Path, tmp_path_factory) -> None:
    outside = make_folder(tmp_path_factory.mktemp("outside") / os.fsdecode("фото".encode()), 10)
    proposal = propose(str(outside))
    assert (proposal.name, list(proposal.entries["datasets"]["images"]["files"])) == ("images", ["images.tar"])
    assert any("outside of this project" in text for text in proposal.remarks)
    os.chdir(project / "photos")
    assert propose_images(Path(), {}, root=project).entries["datasets"].keys() == {"photos"}


def test_a_folder_with_a_table_in_it_is_refused_with_its_name(project: Path) -> None:
    shutil.rmtree("photos/dark")
    Path("photos/houses.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ModelyardError, match=r"only one, 'bright'.*; for a table, give its file, photos/houses\.csv"):
        propose()


def test_other_proportions_are_a_guess(project: Path) -> None:
    Image.fromarray(np.arange(200, dtype=np.uint8).reshape(10, 20)).save("photos/dark/wide.png")
    assert any(text.startswith("fit: letterbox") for text in propose().guesses)
    assert not any(text.startswith("fit") for text in propose(fit="crop").guesses)
