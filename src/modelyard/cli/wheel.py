"""The installed package as a wheel, for projects that depend on it before it is published."""

import hashlib
from base64 import urlsafe_b64encode
from importlib.metadata import Distribution, distributions
from pathlib import Path

from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_zip

PACKAGE = Path(__file__).parents[1]
METADATA = ("METADATA", "WHEEL", "entry_points.txt", "top_level.txt")


def write_wheel(folder: Path) -> Path:
    """Write the wheel into a folder; equal code gives equal bytes.

    It is made of the installed files: of a package that was installed, no file that it was installed from may be left.
    """
    installed = _installed()
    stem = f"modelyard-{installed.version}"
    content = _code() | {f"{stem}.dist-info/{name}": text for name, text in _metadata(installed).items()}
    record = f"{stem}.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(content[name])},{len(content[name])}" for name in sorted(content)]
    wheel = folder / f"{stem}-py3-none-any.whl"
    write_zip(wheel, content | {record: "\n".join([*lines, f"{record},,", ""]).encode()})
    return wheel


def _installed() -> Distribution:
    """What an installer wrote; a build in a checkout leaves a second description there, which is no wheel's.

    Raises:
        ModelyardError: the package was not installed.
    """
    found = next((each for each in distributions(name="modelyard") if each.read_text("WHEEL")), None)
    if found is None:
        raise ModelyardError("modelyard was not installed, so it has no wheel: run make install, or pip install.")
    return found


def _code() -> dict[str, bytes]:
    files = (file for file in PACKAGE.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(PACKAGE.parent).as_posix(): file.read_bytes() for file in files}


def _metadata(installed: Distribution) -> dict[str, bytes]:
    texts = {name: installed.read_text(name) for name in METADATA}
    licences = {f"licenses/{file.name}": file.read_text() for file in installed.files or () if "licenses" in file.parts}
    return {name: text.encode() for name, text in (texts | licences).items() if text}


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
