"""The person's door: the command `modelyard`. Each command is a module; none is imported before it is asked for."""

import os
from pathlib import Path
from typing import Annotated

import typer

from modelyard.errors import explained

app = typer.Typer(
    help="Rebuild, browse and trust the models of a set of notebooks.",
    epilog="Begin with `modelyard doctor` and `modelyard run --demo`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}  # as in pipeline/python


@app.callback()
def surroundings() -> None:
    """Have whatever a command starts keep quiet about itself."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard run` brings everything up to date\n"
    "* `modelyard run mnist_cnn boston_mlp` brings these two up to date, and what they need\n"
    "* `modelyard run --demo` takes only data that is already on this machine\n"
    "* `modelyard run -j 1 --strict` runs one stage at a time, and fails where data cannot be had"
)
def run(
    experiments: Annotated[list[str] | None, typer.Argument(help="Names in params.yaml; none for all.")] = None,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", min=1, help="Stages at once; default: as cores and memory allow.")
    ] = None,
    demo: Annotated[bool, typer.Option(help="Only experiments whose data comes with the libraries.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with 1 where data cannot be had.")] = False,
) -> None:
    """Rebuild experiments: fetch, normalise, train, evaluate, compare; what is up to date is left alone."""
    from modelyard.cli.run import rebuild

    with explained():
        raise typer.Exit(rebuild(experiments or [], jobs, demo, strict))


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard predict mnist_cnn 7.png other.jpg --show answers.png`\n"
    "* `modelyard predict boston_mlp houses.csv -o predictions.csv`\n"
    "* `modelyard predict mnist_cnn --test-row 17` with what is true beside it\n"
    "* `modelyard predict mnist@champion 7.png` asks the registry's model"
)
def predict(
    model: Annotated[str, typer.Argument(help="An experiment, or a data set's model as `mnist@champion`.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Images, texts, or CSV tables with a header: as the model takes.")
    ] = None,
    test_row: Annotated[list[int] | None, typer.Option(min=0, help="A test row by its number, from 0.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the answers as CSV.")] = None,
    show: Annotated[Path | None, typer.Option(help="Draw up to 16 of them with their answers, as PNG.")] = None,
) -> None:
    """Ask a model; images are brought to its shape, never inverted. What cannot be read is told, the exit code 1."""
    from modelyard.cli.predict import predict

    with explained():
        raise typer.Exit(predict(model, files or [], test_row or [], output, show))


@app.command()
def doctor() -> None:
    """Tell what is here: versions, processor, disk, data sets, and where runs are kept."""
    from modelyard.cli.doctor import examine

    with explained():
        examine()


@app.command(
    epilog="Examples:\n\n* `modelyard ui` serves http://127.0.0.1:5000\n* `modelyard ui --port 5001` if 5000 is taken"
)
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Open MLflow's web pages on this project's runs."""
    from modelyard.cli.ui import serve

    with explained():
        serve(port)


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard promote mnist_cnn` makes it `mnist@champion`, or says why not\n"
    "* `modelyard promote mnist_mlp --force 'it must fit on the device'` whatever the test rows say"
)
def promote(
    experiment: Annotated[str, typer.Argument(help="A name in params.yaml.")],
    force: Annotated[
        str | None, typer.Option(metavar="REASON", help="Make it champion all the same; the reason is kept.")
    ] = None,
) -> None:
    """Register a model under its data set's name: as champion, if it is better by more than the noise."""
    from modelyard.cli.promote import promote

    with explained():
        promote(experiment, force)


@app.command(epilog="Example:\n\n* `modelyard rollback mnist` makes the champion before the present one champion again")
def rollback(dataset: Annotated[str, typer.Argument(help="The name of a registered model.")]) -> None:
    """Bring the last champion of a data set back."""
    from modelyard.cli.promote import roll_back

    with explained():
        roll_back(dataset)


@app.command()
def schema() -> None:
    """Print the JSON Schema of params.yaml, for editors."""
    import json

    from modelyard.settings import Project

    typer.echo(json.dumps(Project.model_json_schema(), indent=2))
