"""The name of a project: that of its pyproject.toml."""

import re
import tomllib
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")  # of a Python package


def project_name(root: Path) -> str:
    """Return the name in a project's pyproject.toml, "" where it has none or cannot be read."""
    try:
        content = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    name = content.get("project", {}).get("name", "")
    return name if isinstance(name, str) and NAME.fullmatch(name) else ""
