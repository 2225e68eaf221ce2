"""The person's door: the command `modelyard`. Each command is a module; none is imported before it is asked for."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from modelyard.core.errors import exit_on_error

app = typer.Typer(
    help="Rebuild, browse and trust the models of a set of notebooks.",
    epilog="Begin with `modelyard doctor` and `modelyard run --demo`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

runs = typer.Typer(help="Look after MLflow's diary of runs.", no_args_is_help=True)
app.add_typer(runs, name="runs")

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}  # as in pipeline/python


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"modelyard {version('modelyard')}")
        raise typer.Exit


@app.callback()
def surroundings(
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Tell the version.")
    ] = False,
) -> None:
    """Have whatever a command starts keep quiet about itself."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard run` brings everything up to date\n"
    "* `modelyard run mnist_cnn boston_mlp` brings these two up to date, and what they need\n"
    "* `modelyard run --demo` takes only data that is already on this machine\n"
    "* `modelyard run --dry-run` tells what would run and why, such as an edited value\n"
    "* `modelyard run -j 1 --strict` runs one stage at a time, and fails where data cannot be had"
)
def run(
    experiments: Annotated[
        list[str] | None, typer.Argument(help="As `modelyard experiments` names them; none for all.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", min=1, help="Stages at once; default: as cores and memory allow.")
    ] = None,
    demo: Annotated[bool, typer.Option(help="Only experiments whose data comes with the libraries.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with 1 where data cannot be had.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only tell what would run, and why.")] = False,
) -> None:
    """Rebuild experiments: fetch, normalise, train, evaluate, compare; what is up to date is left alone."""
    from modelyard.cli.run import rebuild

    with exit_on_error():
        raise typer.Exit(rebuild(experiments or [], jobs, demo, strict, dry))


@app.command()
def experiments() -> None:
    """List the experiments of params.yaml, each with its data set, its model and the results that are here."""
    from modelyard.cli.experiments import list_all

    with exit_on_error():
        list_all()


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard tune digits_cnn` searches until the study has the trials that params.yaml asks for\n"
    "* `modelyard tune digits_cnn --trials 60 --workers 2` goes on with it\n"
    "* `modelyard tune mnist_cnn --storage postgresql+psycopg://user@host/studies` shares it with other machines, "
    "where `--join` is added\n"
    "* `modelyard tune digits_cnn --show` prints its trials, `--apply` writes the winner into params.yaml\n"
    "* `modelyard tune digits_cnn --new` begins another beside it"
)
def tune(
    study: Annotated[str, typer.Argument(help="A name under `studies` in params.yaml.")],
    trials: Annotated[int | None, typer.Option(min=1, help="How many there shall be in all.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="After these no trial begins.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")] = None,
    storage: Annotated[
        str | None, typer.Option(help="A journal file or a database's URL; default: MODELYARD_OPTUNA_STORAGE.")
    ] = None,
    join: Annotated[bool, typer.Option("--join", help="Add workers to a search that runs elsewhere.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Begin another study beside the last.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the trials so far, and search nothing.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Write the winner into params.yaml.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="With --apply: over a winner of other values.")] = False,
) -> None:
    """Search for better values of an experiment's settings, by its validation rows; resumes what was begun."""
    from modelyard.cli.tune import Options, search_on, show_trials, write_winner

    with exit_on_error():
        if show:
            show_trials(study, storage)
        elif apply:
            write_winner(study, storage, replace)
        else:
            raise typer.Exit(search_on(study, Options(trials, seconds, workers, storage, join, new)))


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

    with exit_on_error():
        raise typer.Exit(predict(model, files or [], test_row or [], output, show))


@app.command()
def doctor() -> None:
    """Tell what is here: versions, processor, disk, data sets, and where runs are kept."""
    from modelyard.cli.doctor import examine

    with exit_on_error():
        examine()


@app.command(
    epilog="Examples:\n\n* `modelyard ui` serves http://127.0.0.1:5000\n* `modelyard ui --port 5001` if 5000 is taken"
)
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Open MLflow's web pages on this project's runs."""
    from modelyard.cli.ui import serve

    with exit_on_error():
        raise typer.Exit(serve(port))


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

    with exit_on_error():
        promote(experiment, force)


@app.command(epilog="Example:\n\n* `modelyard rollback mnist` makes the champion before the present one champion again")
def rollback(dataset: Annotated[str, typer.Argument(help="The name of a registered model.")]) -> None:
    """Bring the last champion of a data set back."""
    from modelyard.cli.promote import roll_back

    with exit_on_error():
        roll_back(dataset)


@runs.command("backfill", epilog="Example:\n\n* `dvc pull && dvc checkout && modelyard runs backfill`")
def runs_backfill() -> None:
    """Have the diary tell of all that is up to date here: what DVC brought back, the MD5s, what died without a word."""
    from modelyard.cli.runs import backfill

    with exit_on_error():
        backfill()


@runs.command("explain", epilog="Examples:\n\n* `modelyard runs explain mnist_cnn` explains its latest run")
def runs_explain(
    run: Annotated[str, typer.Argument(help="A run's id, as the browser shows it, or an experiment.")],
) -> None:
    """Tell which commit and data rebuild a run, with the commands."""
    from modelyard.cli.runs import explain

    with exit_on_error():
        explain(run)


@app.command(
    epilog="Examples:\n\n* `modelyard report` writes reports/index.html, and reports/report.md for a pull request\n"
    "* `modelyard report --against main` tells as well what changed since that branch"
)
def report(
    against: Annotated[str | None, typer.Option(metavar="REV", help="A commit to compare with.")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path("reports/index.html"),
) -> None:
    """Write all results as one page that opens anywhere, from the files that are here."""
    from modelyard.cli.report import report as write

    with exit_on_error():
        write(output, against)


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard replicate` settles every claim of params.yaml, in less than 20 minutes on two cores\n"
    "* `modelyard replicate dropout one_neuron` settles these two\n"
    "* `modelyard replicate boston_mlp --seeds 8` tells how far the published figure is from our runs\n"
    "* `modelyard replicate boston_mlp --splits` draws other test rows with each seed as well\n"
    "* `modelyard replicate --minutes 5` does what it can in that time; again, and it goes on"
)
def replicate(
    names: Annotated[list[str] | None, typer.Argument(help="Experiments or claims; none for all claims.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Runs of each; default: as a claim says, else 5.")] = None,
    minutes: Annotated[float, typer.Option(min=0, help="After so long, what still runs is stopped.")] = 30.0,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at once; default: as many as cores.")] = None,
    splits: Annotated[bool, typer.Option(help="Experiments: each seed draws its test rows as well.")] = False,
) -> None:
    """Run experiments over seeds, and settle claims; what was run before is not run again."""
    from modelyard.cli.replicate import replicate as run_over_seeds

    with exit_on_error():
        raise typer.Exit(run_over_seeds(names or [], seeds, minutes, workers, splits))


@app.command(
    epilog="Example:\n\n"
    "* `modelyard explain boston_linear boston_mlp_standard boston_boosting` sets coefficients beside importances"
)
def explain(
    experiments: Annotated[list[str], typer.Argument(help="Experiments on one table.")],
    shuffles: Annotated[int, typer.Option(min=2, help="How many times each column is shuffled.")] = 30,
) -> None:
    """Tell which columns matter: coefficients of a linear regression, permutation importance of any model."""
    from modelyard.cli.explain import explain as explain_models

    with exit_on_error():
        explain_models(experiments, shuffles)


class SchemaFile(StrEnum):
    """The files that have a JSON Schema."""

    PARAMS = "params"
    CLAIMS = "claims"
    PUBLISHED = "published"


@app.command(epilog="Example:\n\n* `modelyard schema claims > claims.schema.json`; `make schema` writes all three")
def schema(
    file: Annotated[SchemaFile, typer.Argument(help="The file without .yaml.")] = SchemaFile.PARAMS,
) -> None:
    """Print the JSON Schema of params.yaml, claims.yaml or published.yaml, with which editors check the file."""
    import json

    from modelyard.params.schemas import json_schema

    typer.echo(json.dumps(json_schema(file), indent=2))
