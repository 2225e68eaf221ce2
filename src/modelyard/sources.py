"""Where one raw file comes from, and what its bytes must come to, as params.yaml says it."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from modelyard.config import Settings

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="a plain name, no folder")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Checksum(NamedTuple):
    """What the bytes of a file must come to, in hexadecimal."""

    method: Literal["sha256", "md5"]
    value: str


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

    def leaves(self, name: str) -> tuple[str, ...]:
        """The files that are in the folder once this source was fetched under a name."""
        return tuple(self.members) or (name,)
