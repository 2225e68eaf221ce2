"""The command `modelyard`: `commands` declares the subcommands, and each has its code in the module of its name."""

from modelyard.cli.commands import app

__all__ = ["app"]
