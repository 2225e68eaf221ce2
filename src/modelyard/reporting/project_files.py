"""The one reader of a project's files for the report: those in its folder, or those of a commit."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from modelyard.core import git
from modelyard.core.config import parse_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.git import Commit
from modelyard.reporting.inline_images import InlineImage, inline_image

FIRST_PLOT = "learning_curve"  # of an experiment's plots; the others follow by name


class ProjectFiles:
    """Files by their path within the project.

    Attributes:
        root: the project's folder.
        commit: the commit whose files are read; None for the files in the folder.
        missing: a message for each file that the report needs and that is missing or unreadable.
    """

    def __init__(self, root: Path, commit: Commit | None = None) -> None:
        self.root = root
        self.commit = commit
        self.missing: list[str] = []

    def text(self, path: str) -> str | None:
        """The content of a text file; None if there is no such file."""
        if self.commit:
            return git.read_file(self.root, self.commit, path)
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def label(self, path: str) -> Path:
        """The path as error messages show it."""
        return Path(f"{path} of commit {self.commit.id[:10]}" if self.commit else path)

    def json(self, path: str) -> Any:
        """The content of a JSON file; None if there is no such file.

        Raises:
            ModelyardError: the file is not valid JSON.
        """
        text = self.text(path)
        try:
            return None if text is None else json.loads(text)
        except ValueError as error:
            advice = "compare with another commit" if self.commit else "rebuild it, or restore it from git"
            raise ModelyardError(f"{self.label(path)}: not valid JSON; {advice}.\n{error}") from None

    def yaml(self, path: str) -> Any:
        """The content of a YAML file; None if there is no such file.

        Raises:
            ModelyardError: the file is not valid YAML.
        """
        text = self.text(path)
        return None if text is None else parse_yaml(text, self.label(path))

    def images(self, folder: Path) -> tuple[InlineImage, ...]:
        """All PNG images in a folder; unreadable ones are reported in `missing`."""
        paths = sorted(folder.glob("*.png"), key=lambda path: (path.stem != FIRST_PLOT, path.name))
        with ThreadPoolExecutor() as pool:
            images = list(pool.map(self._image, paths))
        return tuple(image for image in images if image)

    def _image(self, path: Path) -> InlineImage | None:
        try:
            return inline_image(path, path.relative_to(self.root).as_posix())
        except ModelyardError as error:
            self.missing.append(str(error))
            return None
