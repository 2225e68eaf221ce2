"""The person's door: the command `modelyard`. Each command is a module; none is imported before it is asked for."""

import os
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
    "* `modelyard run --dry-run` tells what would run and why, such as an edited value\n"
    "* `modelyard run -j 1 --strict` runs one stage at a time, and fails where data cannot be had"
)
def run(
    experiments: Annotated[list[str] | None, typer.Argument(help="Names in params.yaml; none for all.")] = None,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", min=1, help="Stages at once; default: as cores and memory allow.")
    ] = None,
    demo: Annotated[bool, typer.Option(help="Only experiments whose data comes with the libraries.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with 1 where data cannot be had.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only tell what would run, and why.")] = False,
) -> None:
    """Rebuild experiments: fetch, normalise, train, evaluate, compare; what is up to date is left alone."""
    from modelyard.cli.run import rebuild

    with explained():
        raise typer.Exit(rebuild(experiments or [], jobs, demo, strict, dry))


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

    with explained():
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

    with explained():
        explain_models(experiments, shuffles)


@app.command()
def schema() -> None:
    """Print the JSON Schema of params.yaml, for editors."""
    import json

    from modelyard.settings import Project

    typer.echo(json.dumps(Project.model_json_schema(), indent=2))
