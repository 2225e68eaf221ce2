"""Where one raw file comes from, and what its bytes must come to, as params.yaml says it."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from modelyard.core.config import Settings
from modelyard.core.files import checksum

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="a plain name, no folder")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Checksum(NamedTuple):
    """What the bytes of a file must come to, in hexadecimal."""

    method: Literal["sha256", "md5"]
    value: str

    def told(self, found: str) -> str:
        """What a file came to that should have come to this."""
        return f"{self.method.upper()} is {found}, params.yaml says {self.value}"


class Source(Settings):
    """Where one file comes from: a public address, an installed package, this machine, or params.yaml itself."""

    url: str | None = Field(default=None, pattern=r"^https?://")
    package: str | None = Field(default=None, description="package/path/inside: data that a library brings along")
    path: str | None = Field(default=None, description="a file of yours, relative to the project")
    text: str | None = Field(default=None, description="the content itself, for a few rows")
    sha256: Sha256 | None = None
    md5: Md5 | None = Field(default=None, description="in the place of sha256, where no other checksum is published")
    members: dict[FileName, Md5] = Field(
        default={}, description="for a tar archive: the files to unpack, each with its MD5; the archive is not kept"
    )
    alternatives: dict[FileName, Sha256] = Field(
        default={}, description="archives with the same members that a mirror may hold instead"
    )

    @model_validator(mode="after")
    def _is_one_verified_place(self) -> "Source":
        given = [place for place in (self.url, self.package, self.path, self.text) if place is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of url, package, path, text")
        if [self.sha256, self.md5].count(None) != (1 if self.text is None else 2):
            raise ValueError("either md5 or sha256 goes with url, package and path; `sha256sum FILE` prints it")
        return self

    @model_validator(mode="after")
    def _is_an_archive_where_it_has_members(self) -> "Source":
        if self.members and self.text is not None:
            raise ValueError("members are unpacked from an archive; text is none")
        if self.alternatives and not (self.members and self.url):
            raise ValueError("alternatives go with a url and with members, which they must hold too")
        return self

    @property
    def checksum(self) -> Checksum:
        """The checksum of what is published; `text` has none."""
        return Checksum("sha256", self.sha256) if self.sha256 else Checksum("md5", self.md5)

    def edited(self, root: Path) -> str:
        """What to tell a person whose own file is there and is not what params.yaml says; of any other, nothing."""
        if self.path is None or not (root / self.path).is_file():
            return ""
        found = checksum(root / self.path, self.checksum.method)
        if found == self.checksum.value:
            return ""
        return (
            f"{self.path} is not the file that params.yaml means: its {self.checksum.told(found)}. "
            f"If it is right as it is, write there {self.checksum.method}: {found}; if not, bring back what it was."
        )

    def remedy(self, folder: str) -> str:
        """What a person can do where the file cannot be had; `folder` is its data set's inside a mirror."""
        if self.path is not None:
            return "put your file there, or write in params.yaml the `path` where it is"
        if self.package is not None:
            return "install the libraries again: make install"
        return (
            f"connect to the network and run again; or put the file at <mirror>/{folder}/<file> "
            "and name the mirror (a folder or a URL) in the environment, MODELYARD_MIRROR=<mirror>, "
            "or in params.yaml under fetch.mirrors"
        )

    def leaves(self, name: str) -> tuple[str, ...]:
        """The files that are in the folder once this source was fetched under a name."""
        return tuple(self.members) or (name,)
