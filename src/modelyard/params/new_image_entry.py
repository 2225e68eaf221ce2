"""Entries of params.yaml for a folder of one's own images: proposed from what it holds, and tried out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.core.errors import ModelyardError
from modelyard.core.files import sha256
from modelyard.data.image_profile import ImageProfile, find_remarks, profile, suggest_colour, suggest_size
from modelyard.data.inputs import InputSettings, prepare
from modelyard.data.readers import RawData
from modelyard.data.readers.images import ImagesDataset, describe
from modelyard.data.readers.table_file import WITH_TYPES
from modelyard.data.samples import Samples, Task
from modelyard.data.sources import dvc_remedy
from modelyard.data.splits import check_targets
from modelyard.data.trees import tree_checksum
from modelyard.params.new_entry import LOSSES, Proposal, file_name_for, name_for, path_in, place_remarks, validated

KIND = "images"
TABLES = (".csv", *WITH_TYPES)
TASK: Task = "classification"
FILTERS = (16, 32, 64)  # of the convolutions that are proposed, as many as the images can be halved
LAST_SIDE = 4  # of what the last convolution gets


@dataclass(frozen=True, kw_only=True)
class ImageProposal(Proposal):
    """Images as they would be read, and their entries.

    Attributes:
        profile: what the files hold.
    """

    profile: ImageProfile


def propose_images(
    file: Path, given: Mapping[str, Any], name: str = "", root: Path | None = None, is_kept: bool = False
) -> ImageProposal:
    """Read a folder or archive of images and propose its entries.

    Args:
        file: the folder or archive.
        given: settings of the data set that the user gives: size, colour, fit, broken.
        name: of the entries; by default that of the folder.
        root: the folder of the project; by default the current one.
        is_kept: whether the caller adds the images to DVC.

    Raises:
        ModelyardError: it is missing, or its files are not ordered by class; see `image_profile.profile`.
    """
    root = root or Path.cwd()
    if not file.exists():
        raise ModelyardError(f"{file}: no such file or folder; {dvc_remedy(file, root) or 'check the path'}.")
    found = _profile(file)
    (height, width), why_size = suggest_size(found)
    colour, why_colour = suggest_colour(found)
    guesses = []
    if "size" not in given:
        guesses.append(f"size: [{height}, {width}], {why_size}; otherwise give --size HEIGHTxWIDTH")
    if "colour" not in given:
        guesses.append(f"colour: {colour}, {why_colour}; otherwise give --colour")
    if "fit" not in given and len({fact.size[0] / fact.size[1] for fact in found.facts.values()}) > 1:
        guesses.append("fit: letterbox, which keeps the whole image; otherwise give --fit crop or stretch")
    source = {"tree": tree_checksum(found.hashes)} if file.is_dir() else {"sha256": sha256(file)}
    key = f"{file_name_for(file.resolve(), KIND)}.tar" if file.is_dir() else file_name_for(file)
    written = {
        "reader": "images",
        "task": TASK,
        "description": f"Classes of the images in {file.resolve().name}",
        "size": [height, width],
        "colour": colour,
        **given,
        "files": {key: {"path": path_in(root, file), **source}},
    }
    settings = validated(ImagesDataset, {**written, "size": tuple(written["size"])})
    remarks = list(find_remarks(found))
    remarks += place_remarks(settings.files[key].path or "", root, is_kept)
    name = name or name_for(file.resolve(), KIND)
    entries = {"datasets": {name: written}, "inputs": {name: _input(name, found)}, "experiments": {}}
    entries["experiments"] = _experiments(name, settings)
    if found.problems and settings.broken == "refuse":
        problem = f"{describe(found.problems)}\nRepair or remove them, or leave them out: --broken leave_out"
    else:
        problem = find_split_problem(_raw(found), InputSettings.model_validate(entries["inputs"][name]))
    return ImageProposal(
        name=name,
        file=file,
        guesses=guesses,
        entries=entries,
        problem=problem,
        profile=found,
        remarks=remarks,
    )


def find_split_problem(raw: RawData, settings: InputSettings) -> str:
    """Return why images cannot be divided as an input asks for, "" if they can; their pixels do not matter."""
    try:
        training, test = prepare(
            replace(raw, samples=_blank(raw.samples), test=raw.test and _blank(raw.test)), TASK, settings
        )
        check_targets(training.training, test, TASK, raw.classes)
    except ModelyardError as error:
        return str(error)
    return ""


def _blank(samples: Samples) -> Samples:
    return Samples(np.zeros((len(samples), 1, 1, 1), np.uint8), samples.y)


def _raw(found: ImageProfile) -> RawData:
    """The classes of the readable images as the reader has them, without pixels."""
    places = [found.folders.files[name] for name in found.facts]
    train, test = (
        Samples(np.empty((len(numbers), 0)), np.array(numbers, np.int64))
        for numbers in (
            [found.folders.classes.index(label) for part, label in places if part == each] for each in ("train", "test")
        )
    )
    return RawData(train, test if len(test) else None, classes=found.folders.classes)


def _profile(file: Path) -> ImageProfile:
    try:
        return profile(file)
    except ModelyardError as error:
        tables = sorted(path for path in file.iterdir() if path.suffix in TABLES) if file.is_dir() else []
        raise ModelyardError(f"{error}; for a table, give its file, {tables[0]}" if tables else str(error)) from None


def _input(name: str, found: ImageProfile) -> dict[str, Any]:
    split: dict[str, Any] = {"test": 0.2, "test_seed": 1, "validation": 0.2, "stratify": True}
    if any(part == "test" for part, _ in found.folders.files.values()):
        drawn = {"validation_samples": "shuffled", "validation_seed": 1}
        split = {"test": "predefined", "validation": 0.2, **drawn, "stratify": True}
    return {"dataset": name, "split": split, "scaling": "pixels"}


def _experiments(name: str, settings: ImagesDataset) -> dict[str, Any]:
    halvings = max(1, min(len(FILTERS), int(np.log2(max(1, min(settings.size) / LAST_SIDE))) + 1))
    model = {
        "family": "cnn",
        "filters": list(FILTERS[:halvings]),
        "padding": "same",
        "pooling": "each",
        "units": [64],
        "dense_dropout": 0.3,
    }
    training = {"seed": 1, "epochs": 50, "loss": LOSSES[TASK], "early_stopping": {"patience": 8}}
    return {
        f"{name}_baseline": {"input": name, "model": {"family": "baseline"}, "training": {"seed": 1}},
        f"{name}_cnn": {"input": name, "model": model, "training": training},
    }
