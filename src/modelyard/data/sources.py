"""The source of one raw file and its checksum, as params.yaml declares them."""

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.core.files import checksum
from modelyard.data import trees
from modelyard.data.archives import checksum_of_content

_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
FileName = Annotated[str, Field(pattern=rf"^{_NAME}$", description="a plain name, no folder")]
FolderName = Annotated[str, Field(pattern=rf"^({_NAME}(/{_NAME})*)?$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Url = Annotated[str, Field(pattern=r"^https?://")]


def _as_tuple(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


Urls = Annotated[
    tuple[Url, ...],
    Field(min_length=1),
    BeforeValidator(_as_tuple, json_schema_input_type=Url | Annotated[tuple[Url, ...], Field(min_length=1)]),
]


class Checksum(NamedTuple):
    """The expected checksum of a file, in hexadecimal; that of its content where the file may be compressed.

    That of a `tree` is one for all files of a folder, or of the archive that they were packed into.
    """

    method: Literal["sha256", "md5"]
    value: str
    decompressed: bool = False
    tree: bool = False

    @property
    def key(self) -> str:
        """The key of params.yaml that has it."""
        return "tree" if self.tree else "decompressed" if self.decompressed else self.method

    def actual(self, path: Path) -> str:
        """Return the checksum that a file has.

        Raises:
            ModelyardError: it is compressed and damaged, or a folder that cannot be read (see `trees.open_tree`).
        """
        if self.tree:
            return trees.checksum_of(path)
        return checksum_of_content(path, self.method) if self.decompressed else checksum(path, self.method)

    def mismatch(self, actual: str) -> str:
        """Return the text for a file with another checksum than this."""
        if self.tree:
            return f"files have the checksum {actual}, params.yaml has {self.value}"
        of_content = "decompressed content has the " if self.decompressed else ""
        return f"{of_content}{self.method.upper()} {'' if of_content else 'is '}{actual}, params.yaml has {self.value}"


class Source(Settings):
    """The source of one file: public URLs, an installed package, this machine, or params.yaml itself."""

    url: Urls | None = Field(default=None, description="one public address, or several that are tried in turn")
    package: str | None = Field(default=None, description="package/path/inside: data that comes with a library")
    path: str | None = Field(default=None, description="a file or folder of yours, relative to the project")
    text: str | None = Field(default=None, description="the content itself, for a few rows")
    sha256: Sha256 | None = None
    md5: Md5 | None = Field(default=None, description="instead of sha256, where no other checksum is published")
    decompressed: Sha256 | None = Field(
        default=None,
        description="instead of sha256, for a gzip file: the SHA-256 of its content, however it is compressed; "
        "the content is kept, without .gz in its name",
    )
    tree: Sha256 | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="instead of sha256, for a `path` that is a folder: the SHA-256 of what sha256sum prints for its "
        "files, sorted; `modelyard data show` and `data update` write it. The files are kept in one tar archive",
    )
    members: dict[FileName, Md5] = Field(
        default={}, description="for a tar archive: the files to unpack, each with its MD5; the archive is not kept"
    )
    alternatives: dict[FileName, Sha256] = Field(
        default={}, description="archives with the same members that a mirror may hold instead"
    )

    @model_validator(mode="after")
    def _has_one_location_and_its_checksum(self) -> "Source":
        given = [location for location in (self.url, self.package, self.path, self.text) if location is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of url, package, path, text")
        if [self.sha256, self.md5, self.decompressed, self.tree].count(None) != (3 if self.text is None else 4):
            raise ValueError(
                "url, package and path need either sha256 or md5 (`sha256sum FILE` prints it), or decompressed, or for "
                "a folder tree; text needs none of them"
            )
        if self.tree and self.path is None:
            raise ValueError("tree is the checksum of a folder of yours: give its path")
        return self

    @model_validator(mode="after")
    def _has_members_of_an_archive_only(self) -> "Source":
        if self.members and self.text is not None:
            raise ValueError("members are unpacked from an archive, and text is not an archive")
        if self.members and (self.decompressed or self.tree):
            raise ValueError(
                "members are unpacked from an archive: give the sha256 of the archive, not decompressed or tree"
            )
        if self.alternatives and not (self.members and self.url):
            raise ValueError("alternatives need a url, and members that they hold too")
        return self

    @property
    def checksum(self) -> Checksum:
        """The checksum of the published file; `text` has none."""
        if self.decompressed:
            return Checksum("sha256", self.decompressed, decompressed=True)
        if self.tree:
            return Checksum("sha256", self.tree, tree=True)
        return Checksum("sha256", self.sha256) if self.sha256 else Checksum("md5", self.md5 or "")

    def file_names(self, name: str) -> tuple[str, ...]:
        """Return the names of the files that fetching this source under a name writes."""
        return tuple(self.written_files(name))

    def written_files(self, name: str) -> dict[str, Checksum]:
        """Return the files that fetching this source under a name writes, and their checksums; `text` has none."""
        if self.members:
            return {member: Checksum("md5", value) for member, value in self.members.items()}
        if self.decompressed:
            return {name.removesuffix(".gz"): Checksum("sha256", self.decompressed)}
        return {name: self.checksum}

    def edited_message(self, root: Path) -> str:
        """Return what is wrong where a user's own file exists with another checksum than params.yaml's, else ""."""
        if self.path is None or not self.is_at(root / self.path):
            return ""
        kind = "folder" if self.tree else "file"
        try:
            actual = self.own_checksum(root)
        except ModelyardError as damage:
            return f"{damage}." if self.tree else f"{self.path} is damaged: {damage}. Restore the earlier file."
        if actual == self.checksum.value:
            return ""
        return (
            f"{self.path} is not the {kind} that params.yaml means: its {self.checksum.mismatch(actual)}. "
            f"If the {kind} is right, write {self.checksum.key}: {actual} there; if not, restore the "
            f"earlier {kind}. For a table or images, `modelyard data update` writes it."
        )

    def is_at(self, path: Path) -> bool:
        """Return whether the file, or for a tree the folder, is at a path on this machine."""
        return path.is_dir() if self.tree else path.is_file()

    def own_checksum(self, root: Path) -> str:
        """Return the checksum that the user's own file or folder has; found at once for an unchanged folder.

        Raises:
            ModelyardError: see `Checksum.actual`.
        """
        path = root / (self.path or "")
        return trees.kept_checksum_of(path, root / ".modelyard" / "trees") if self.tree else self.checksum.actual(path)

    def remedy(self, folder: str) -> str:
        """Return what to do where the file is not available; `folder` is its data set's folder inside a mirror."""
        if self.path is not None:
            kind = "folder" if self.tree else "file"
            return f"put your {kind} there, or write in params.yaml the `path` where it is"
        if self.package is not None:
            return "install the libraries again: make install"
        return (
            f"connect to the network and run again; or put the file at <mirror>/{folder}/<file> "
            "and name the mirror (a folder or a URL) in the environment, MODELYARD_MIRROR=<mirror>, "
            "or in params.yaml under fetch.mirrors"
        )


def dvc_remedy(path: Path, root: Path) -> str:
    """Return what to do where a file is not there but was added to DVC, itself or its folder; "" if it was not."""
    for each in (path, *path.parents):
        pointer = each.with_name(f"{each.name}.dvc") if each.name else each
        if pointer.is_file():
            shown = pointer.relative_to(root) if pointer.is_relative_to(root) else pointer
            return f"DVC keeps it: run `dvc pull {shlex.quote(str(shown))}`"
    return ""
