"""What a folder of images holds, what looks wrong with it, and the size and colour that fit it."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from modelyard.data.readers.image_file import Colour, ImageFormat, UnreadableImage, decode
from modelyard.data.readers.images import ImageFolders, Part, check_counts, find_folders, work_on
from modelyard.data.trees import open_tree

LOOKED_AT = ImageFormat(size=(64, 64), colour="rgb")  # of each image, to see its colours
GREY = 8  # differences of the channels that JPEG files of grey images have
SIDES = (16, 24, 32, 48, 64)  # that are suggested: enough to learn from, and few enough to train on a processor
EXACT_SIDE = 96  # up to which images of one size are left as they are
FEW = 10  # images of a class
UNBALANCED = 10  # times as many images of one class as of another
LONG = 2.5  # times as long as wide
DARK = 24  # of 255; twelve bits end at 15, and resizing sharpens
NAMED = 3  # files in a remark


class ImageFacts(NamedTuple):
    """What one readable file holds.

    Attributes:
        size: height and width.
        mode: by Pillow's names.
        is_grey: whether it has no colours.
        darkest: the smallest value of a pixel, of 255.
        brightest: the largest one.
        frames: whether only the first of several is read.
    """

    size: tuple[int, int]
    mode: str
    is_grey: bool
    darkest: int
    brightest: int
    frames: bool


@dataclass(frozen=True)
class ImageProfile:
    """What the files of a folder or archive hold.

    Attributes:
        folders: their parts and classes.
        hashes: the SHA-256 of each file.
        facts: the readable ones, sorted by name.
        problems: why each of the others cannot be used.
    """

    folders: ImageFolders
    hashes: Mapping[str, str]
    facts: Mapping[str, ImageFacts]
    problems: Mapping[str, str]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that it has."""
        return tuple(sorted({part for part, _ in self.folders.files.values()}, reverse=True))


def profile(path: Path, classes: tuple[str, ...] = ()) -> ImageProfile:
    """Read all files of a folder or archive.

    Raises:
        ModelyardError: it has no folders of classes, or too few images; see `images.find_folders`, `check_counts`.
    """
    with open_tree(path) as tree:
        folders = find_folders(tree.names, classes, str(path))
        found = dict(work_on(tree, set(tree.names), _look_at))
    problems = dict.fromkeys(folders.misplaced, "not in the folder of a class")
    problems |= {name: str(found[name][1]) for name in folders.files if isinstance(found[name][1], UnreadableImage)}
    facts = {name: fact for name in folders.files if isinstance(fact := found[name][1], ImageFacts)}
    check_counts(folders.counts(problems), folders.classes, bool(classes), str(path))
    return ImageProfile(folders, {name: digest for name, (digest, _) in found.items()}, facts, problems)


def find_remarks(found: ImageProfile) -> Iterator[str]:
    """What looks wrong, or should be known, one sentence each; not the files that cannot be used."""
    yield from _uneven_classes(found)
    yield from _copies(found)
    kinds: dict[str, Callable[[ImageFacts], bool]] = {
        "have several pages or frames: only the first is read": lambda fact: fact.frames,
        "are of one colour only, so that nothing can be seen on them": lambda fact: fact.darkest == fact.brightest,
        "have 16 bits and are nearly black: if their values use fewer bits, save them with 8": lambda fact: (
            fact.mode.startswith("I;16") and 0 < fact.brightest < DARK
        ),
        f"are more than {LONG:g} times as long as wide: `letterbox` leaves little of them, `crop` their middle": (
            lambda fact: max(fact.size) > LONG * min(fact.size)
        ),
    }
    for what, holds in kinds.items():
        names = [name for name, fact in found.facts.items() if holds(fact)]
        if names:
            yield f"{len(names)} image(s) {what}: {_named(names)}"


def compare(
    before: Mapping[str, str], after: Mapping[str, str], classes: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Yield what is different between two versions, by class, and then for all files.

    Args:
        before: the SHA-256 of each file.
        after: the same of the later version.
        classes: the names of the folders that are classes; all by default.
    """
    old, new = (_class_counts(find_folders(names, classes, "").counts()) for names in (before, after))
    for label in sorted({*old, *new}):
        if old[label] != new[label]:
            yield label, f"{old[label]} images, now {new[label]}" if old[label] else f"new: {new[label]} images"
    changed = sum(before[name] != after[name] for name in before.keys() & after.keys())
    yield (
        "files",
        f"{len(after.keys() - before.keys())} new, {len(before.keys() - after.keys())} gone, {changed} changed",
    )


def suggest_size(found: ImageProfile) -> tuple[tuple[int, int], str]:
    """Return a height and width, and the reason."""
    sizes = Counter(fact.size for fact in found.facts.values())
    (height, width), _ = sizes.most_common(1)[0]
    if len(sizes) == 1 and max(height, width) <= EXACT_SIDE:
        return (height, width), "as all images are"
    shorter = median(min(fact.size) for fact in found.facts.values())
    side = max((side for side in SIDES if side <= shorter), default=SIDES[0])
    return (side, side), f"because the shorter side of the images is {shorter:g} in the median"


def suggest_colour(found: ImageProfile) -> tuple[Colour, str]:
    """Return a colour, and the reason."""
    coloured = sum(not fact.is_grey for fact in found.facts.values())
    if not coloured:
        return "grey", "because no image has colours"
    return "rgb", f"because {'all' if coloured == len(found.facts) else coloured} images have colours"


def describe_sizes(found: ImageProfile) -> str:
    """The sizes of the images, in words."""
    sizes = {fact.size for fact in found.facts.values()}
    low, high = min(sizes, key=np.prod), max(sizes, key=np.prod)
    if len(sizes) == 1:
        return f"all {low[0]} x {low[1]}"
    return f"{len(sizes)} different ones from {low[0]} x {low[1]} to {high[0]} x {high[1]} (height x width)"


def describe_modes(found: ImageProfile) -> str:
    """The modes of the images with their numbers, in words."""
    modes = Counter(fact.mode for fact in found.facts.values())
    return ", ".join(f"{count} {mode}" for mode, count in modes.most_common())


def _look_at(content: bytes) -> tuple[str, ImageFacts | UnreadableImage]:
    digest = hashlib.sha256(content).hexdigest()
    try:
        image = decode(BytesIO(content), LOOKED_AT)
    except UnreadableImage as error:
        return digest, error
    pixels = image.pixels
    is_grey = bool(np.ptp(pixels.astype(np.int16), axis=-1).max() <= GREY)
    has_frames = any("frames" in remark for remark in image.remarks)
    return digest, ImageFacts(image.size, image.mode, is_grey, int(pixels.min()), int(pixels.max()), has_frames)


def _uneven_classes(found: ImageProfile) -> Iterator[str]:
    counts = _class_counts(found.folders.counts(found.problems))
    few = [f"{label} ({count})" for label, count in counts.items() if count < FEW]
    if few:
        yield f"class(es) with few images, which are hardly learnt: {', '.join(sorted(few))}"
    if max(counts.values()) > UNBALANCED * min(counts.values()):
        yield (
            f"the largest class has {max(counts.values())} images, the smallest {min(counts.values())}: "
            "`class_weights: balanced` in a training makes each class count the same"
        )


def _class_counts(counts: Mapping[tuple[Part, str], int]) -> Counter[str]:
    """The numbers of images by class, those of train and test together."""
    total: Counter[str] = Counter()
    for (_, label), count in counts.items():
        total[label] += count
    return total


def _copies(found: ImageProfile) -> Iterator[str]:
    """Sentences about equal files: in training and test, in several classes, and in one class."""
    groups: dict[str, list[str]] = {}
    for name in found.facts:
        groups.setdefault(found.hashes[name], []).append(name)
    kinds: dict[str, list[list[str]]] = {}
    for names in groups.values():
        if len(names) > 1:
            parts, labels = (set(each) for each in zip(*(found.folders.files[name] for name in names), strict=True))
            what = (
                "in train and test" if len(parts) > 1 else "in several classes" if len(labels) > 1 else "in one class"
            )
            kinds.setdefault(what, []).append(names)
    effects = {
        "in train and test": "test results say little about new images",
        "in several classes": "at most one of the classes is right",
        "in one class": "a copy may come into the test samples",
    }
    for what, effect in effects.items():
        if copies := kinds.get(what):
            yield f"{len(copies)} file(s) are there more than once {what}, so {effect}: {' = '.join(copies[0][:NAMED])}"


def _named(names: Iterable[str]) -> str:
    first, *others = names
    return f"{first} and {len(others)} more" if others else first
