"""compare: every experiment of params.yaml side by side, with what the notebooks published."""

from pathlib import Path

import typer

from modelyard import comparison, gains, settings
from modelyard.errors import explained
from modelyard.files import write_table, write_text


def main(results: Path, pretrained: Path, report: Path, table: Path, scores: Path) -> None:
    project = settings.load()
    compared = comparison.compare(project, results, pretrained)
    write_text(report, comparison.markdown(compared) + gains.markdown(gains.gains(project, results)))
    write_table(table, compared)
    write_table(scores, comparison.scores(compared))
    typer.echo(f"{compared.experiment.nunique()} experiments compared: {report}")


if __name__ == "__main__":
    with explained():
        typer.run(main)
