"""compare: put all experiments of params.yaml side by side, with the values that the notebooks published."""

from pathlib import Path

import typer

from modelyard import params
from modelyard.core.errors import exit_on_error
from modelyard.core.files import write_table, write_text
from modelyard.experiments import compare


def main(published: Path, results: Path, pretrained: Path, report: Path, table: Path, scores: Path) -> None:
    project = params.load()
    compared = compare.compare(project, params.load_published(project, published), results, pretrained)
    write_text(report, compare.markdown(compared, compare.tuning_gains(project, results)))
    write_table(table, compared)
    write_table(scores, compare.scores(compared))
    typer.echo(f"{compared.experiment.nunique()} experiments compared: {report}")


if __name__ == "__main__":
    with exit_on_error():
        typer.run(main)
