"""The one reader of a project's files for the report: those in its folder, or those of a commit."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from modelyard.core import git
from modelyard.core.config import first_error, parse_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.files import parse_json, read_text
from modelyard.core.git import Commit
from modelyard.core.processes import usable_cores
from modelyard.reporting.inline_images import InlineImage, inline_image

Content = TypeVar("Content")

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
        self._images: dict[Path, list[Future[InlineImage]]] = {}  # by folder

    def text(self, path: str) -> str | None:
        """The content of a text file; None if there is no such file."""
        if self.commit:
            return git.read_file(self.root, self.commit, path)
        try:
            return read_text(self.root / path)
        except FileNotFoundError:
            return None

    def label(self, path: str) -> Path:
        """The path as error messages show it."""
        return Path(f"{path} of commit {self.commit.id[:10]}" if self.commit else path)

    def json(self, path: str) -> dict[str, Any] | None:
        """The content of a JSON file; None if there is no such file, or if `missing` says why it is not readable."""
        return self.attempt(path, lambda: self._json(path), None)

    def attempt(self, path: str, read: Callable[[], Content], otherwise: Content) -> Content:
        """Return what `read` makes of a result file; if it cannot, `otherwise`, and add a message to `missing`.

        Result files may be half-written, in a merge conflict or of another version: each costs its part of the report.
        """
        try:
            return read()
        except ModelyardError as error:
            reason = str(error)
        except ValidationError as invalid:
            reason = f"{self.label(path)}: not what this version writes ({first_error(invalid)})"
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())
            reason = f"{self.label(path)}: not what this version writes ({what})"
        self.missing.append(f"{reason.rstrip('.')}. Build it again, or restore it from git")
        return otherwise

    def _json(self, path: str) -> dict[str, Any] | None:
        text = self.text(path)
        content = None if text is None else parse_json(text, self.label(path))
        if content is not None and not isinstance(content, dict):
            raise TypeError(f"a list of keys with values is expected, not {type(content).__name__}")
        return content

    def yaml(self, path: str) -> Any:
        """The content of a YAML file; None if there is no such file.

        Raises:
            ModelyardError: the file is not valid YAML.
        """
        text = self.text(path)
        return None if text is None else parse_yaml(text, self.label(path))

    def start_images(self, folders: Iterable[Path]) -> None:
        """Start to read and encode the PNG images of folders, while other parts of the report are made."""
        with_images = {folder: sorted(folder.glob("*.png"), key=_plot_order) for folder in folders}
        pool = ThreadPoolExecutor(len(usable_cores()))
        for folder, paths in with_images.items():
            names = [path.relative_to(self.root).as_posix() for path in paths]
            self._images[folder] = [pool.submit(inline_image, *image) for image in zip(paths, names, strict=True)]
        pool.shutdown(wait=False)

    def images(self, folder: Path) -> tuple[InlineImage, ...]:
        """All PNG images in a folder; unreadable ones are reported in `missing`."""
        if folder not in self._images:
            self.start_images([folder])
        images = []
        for encoding in self._images.pop(folder):
            try:
                images.append(encoding.result())
            except ModelyardError as error:
                self.missing.append(str(error))
        return tuple(images)


def _plot_order(path: Path) -> tuple[bool, str]:
    return path.stem != FIRST_PLOT, path.name
