"""What `modelyard data show` prints of images."""

from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from modelyard.data.image_profile import describe_modes, describe_sizes
from modelyard.data.readers.images import describe
from modelyard.params.new_image_entry import ImageProposal


def print_images(console: Console, proposal: ImageProposal) -> None:
    """Print the classes with their numbers of images, sizes, modes, and what looks wrong."""
    found = proposal.profile
    size = f"{len(found.facts)} images, {len(found.folders.classes)} classes"
    console.print(f"{proposal.file}: {size}", markup=False, highlight=False, soft_wrap=True)
    console.print(_classes_table(proposal))
    console.print(f"Sizes: {describe_sizes(found)}", markup=False, highlight=False)
    console.print(f"Modes: {describe_modes(found)}", markup=False, highlight=False)
    if found.problems and describe(found.problems) not in proposal.problem:
        console.print(describe(found.problems), style="yellow", markup=False, highlight=False)
    for text in proposal.remarks:
        console.print(f"Note: {text}.", markup=False, highlight=False)


def as_json(proposal: ImageProposal) -> dict[str, Any]:
    """Return the same as JSON values."""
    found = proposal.profile
    counts = found.folders.counts(found.problems)
    return {
        "images": len(found.facts),
        "classes": {label: {part: counts[part, label] for part in found.parts} for label in found.folders.classes},
        "sizes": describe_sizes(found),
        "modes": describe_modes(found),
        "broken": dict(found.problems),
        "remarks": proposal.remarks,
    }


def _classes_table(proposal: ImageProposal) -> Table:
    found = proposal.profile
    headers = ["images"] if len(found.parts) == 1 else list(found.parts)
    table = Table("class", box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header, justify="right")
    counts = found.folders.counts(found.problems)
    for label in found.folders.classes:
        table.add_row(escape(label), *(str(counts[part, label]) for part in found.parts))
    return table
