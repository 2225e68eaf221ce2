"""Git in the repositories of tests, which is not to depend on who runs them."""

import subprocess
from pathlib import Path

SETTINGS = ("user.name=test", "user.email=test@localhost", "commit.gpgsign=false", "tag.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    """Run git under a test identity and without signatures; returns what it prints."""
    settings = (word for setting in SETTINGS for word in ("-c", setting))
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()
