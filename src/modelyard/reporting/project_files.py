"""A project's folder, read with a note of what is not there."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.reporting.inline_images import Picture, inline

FIRST = "learning_curve"  # of an experiment's pictures; the others follow by name


class Folder:
    """Files by their path within the project; `missing` tells what was asked for and could not be had."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.missing: list[str] = []

    def text(self, path: str) -> str | None:
        """A text file; nothing where there is none."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def json(self, path: str) -> Any:
        """A JSON file; nothing where there is none.

        Raises:
            ModelyardError: the file is not valid JSON.
        """
        text = self.text(path)
        try:
            return None if text is None else json.loads(text)
        except ValueError as error:
            raise ModelyardError(f"{path}: this is not valid JSON ({error}). Rebuild it.") from None

    def lines(self, path: str) -> list[dict[str, str]]:
        """The lines of a CSV file by column."""
        return list(csv.DictReader((self.text(path) or "").splitlines()))

    def pictures(self, path: str) -> tuple[Picture, ...]:
        """All pictures of a folder, several at a time; one that cannot be read is noted as missing."""
        found = sorted((self.root / path).glob("*.png"), key=lambda each: (each.stem != FIRST, each.name))
        with ThreadPoolExecutor() as pool:
            inlined = list(pool.map(self._picture, found))
        return tuple(picture for picture in inlined if picture)

    def _picture(self, path: Path) -> Picture | None:
        try:
            return inline(path, path.relative_to(self.root).as_posix())
        except ModelyardError as error:
            self.missing.append(str(error))
            return None
