"""The command `modelyard`, run in this process."""

from typer.testing import CliRunner, Result

from modelyard.cli import app


def modelyard(*arguments: str, columns: int = 300) -> Result:
    """Run a subcommand on a terminal so wide that no line is broken."""
    return CliRunner().invoke(app, arguments, env={"COLUMNS": str(columns)})


def table_row(output: str, name: str) -> str:
    """The line of a printed table that begins with a name."""
    return next(line for line in output.splitlines() if line.strip(" │┃").startswith(name))
