"""The source of one raw file and its checksum, as params.yaml declares them."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from modelyard.core.config import Settings
from modelyard.core.files import checksum

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="a plain name, no folder")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Checksum(NamedTuple):
    """The expected checksum of a file, in hexadecimal."""

    method: Literal["sha256", "md5"]
    value: str

    def mismatch(self, actual: str) -> str:
        """Return the text for a file with another checksum than this."""
        return f"{self.method.upper()} is {actual}, params.yaml has {self.value}"


class Source(Settings):
    """The source of one file: a public URL, an installed package, this machine, or params.yaml itself."""

    url: str | None = Field(default=None, pattern=r"^https?://")
    package: str | None = Field(default=None, description="package/path/inside: data that comes with a library")
    path: str | None = Field(default=None, description="a file of yours, relative to the project")
    text: str | None = Field(default=None, description="the content itself, for a few rows")
    sha256: Sha256 | None = None
    md5: Md5 | None = Field(default=None, description="instead of sha256, where no other checksum is published")
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
        if [self.sha256, self.md5].count(None) != (1 if self.text is None else 2):
            raise ValueError(
                "url, package and path need either sha256 or md5 (`sha256sum FILE` prints it), text neither"
            )
        return self

    @model_validator(mode="after")
    def _has_members_of_an_archive_only(self) -> "Source":
        if self.members and self.text is not None:
            raise ValueError("members are unpacked from an archive, and text is not an archive")
        if self.alternatives and not (self.members and self.url):
            raise ValueError("alternatives need a url, and members that they hold too")
        return self

    @property
    def checksum(self) -> Checksum:
        """The checksum of the published file; `text` has none."""
        return Checksum("sha256", self.sha256) if self.sha256 else Checksum("md5", self.md5 or "")

    def edited_message(self, root: Path) -> str:
        """Return what is wrong where a user's own file exists with another checksum than params.yaml's, else ""."""
        if self.path is None or not (root / self.path).is_file():
            return ""
        actual = checksum(root / self.path, self.checksum.method)
        if actual == self.checksum.value:
            return ""
        return (
            f"{self.path} is not the file that params.yaml means: its {self.checksum.mismatch(actual)}. "
            f"If the file is right, write {self.checksum.method}: {actual} there; if not, restore the earlier file."
        )

    def remedy(self, folder: str) -> str:
        """Return what to do where the file is not available; `folder` is its data set's folder inside a mirror."""
        if self.path is not None:
            return "put your file there, or write in params.yaml the `path` where it is"
        if self.package is not None:
            return "install the libraries again: make install"
        return (
            f"connect to the network and run again; or put the file at <mirror>/{folder}/<file> "
            "and name the mirror (a folder or a URL) in the environment, MODELYARD_MIRROR=<mirror>, "
            "or in params.yaml under fetch.mirrors"
        )

    def file_names(self, name: str) -> tuple[str, ...]:
        """Return the names of the files that fetching this source under a name writes."""
        return tuple(self.members) or (name,)
