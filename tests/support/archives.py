"""Small tar archives with the same two members, and the contents of a folder."""

import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Mapping
from pathlib import Path

CONTENTS = {"one.bin": b"first" * 300, "two.bin": bytes(range(256)) * 9}
MEMBERS = {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in CONTENTS.items()}
GOOD = {f"made-up-bin/{name}": content for name, content in CONTENTS.items()}
TWO = "made-up-bin/two.bin"

COMPRESSIONS = {"gz": lambda whole: gzip.compress(whole, mtime=0), "xz": lzma.compress, "none": bytes}


def packed(content: Mapping[str, bytes | tarfile.TarInfo], compression: str = "gz") -> bytes:
    """An archive of files by path, the same bytes each time; a TarInfo is added as it is."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for path, value in content.items():
            entry = value if isinstance(value, tarfile.TarInfo) else tarfile.TarInfo(path)
            data = value if isinstance(value, bytes) else b""
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return COMPRESSIONS[compression](whole.getvalue())


def file_contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
