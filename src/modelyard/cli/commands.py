"""Options and help texts of all subcommands.

The code of a subcommand is in the module of its name, which is imported only when the subcommand runs: `--help` stays
fast, and no subcommand waits for the libraries of another.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from modelyard.core.environment import set_variables
from modelyard.core.errors import ModelyardError, exit_on_error

app = typer.Typer(
    help="Rebuild, track, tune and compare the models of a project.",
    epilog="To get started, run `modelyard doctor` and `modelyard run --demo`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

runs = typer.Typer(help="Add missing MLflow runs, and print how to reproduce a run.", no_args_is_help=True)
app.add_typer(runs, name="runs")
data = typer.Typer(
    help="Show a table or images of your own, add them to params.yaml, and update them there after a change.",
    no_args_is_help=True,
)
app.add_typer(data, name="data")


class PredictionEngine(StrEnum):
    """Values of --engine."""

    AUTO = "auto"
    ONNX = "onnx"
    KERAS = "keras"
    SKLEARN = "sklearn"


# Options of all commands that run work in parallel.
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j",
        "--jobs",
        min=1,
        help="Number of parallel stages, trainings or trials; default: as many as cores and memory allow.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        envvar="MODELYARD_SCHEDULER",
        metavar="ADDRESS",
        help="Run on the cluster of this Dask scheduler, such as tls://scheduler:8786; see docs/scaling.md.",
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="With --scheduler: allow an unencrypted address of another machine.")
]
Mixed = Annotated[
    bool,
    typer.Option(
        "--mixed",
        help="With --scheduler: allow processors on which a network may get slightly other results than here.",
    ),
]


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"modelyard {version('modelyard')}")
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Set the environment of everything that a subcommand starts."""
    set_variables()


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard run` rebuilds everything that is out of date\n"
    "* `modelyard run mnist_cnn boston_mlp` rebuilds these two experiments and what they depend on\n"
    "* `modelyard run --demo` uses only data that is in params.yaml or comes with installed packages\n"
    "* `modelyard run --dry-run` prints what would run and why, for example an edited setting\n"
    "* `modelyard run --scheduler tls://scheduler:8786` trains on a Dask cluster\n"
    "* `modelyard run -j 1 --strict` runs one stage at a time, and exits with code 1 if a data set is not available"
)
def run(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help="Names of experiments, see `modelyard experiments`; default: all but those `on_request`."),
    ] = None,
    jobs: Jobs = None,
    demo: Annotated[bool, typer.Option("--demo", help="Build only experiments that need no download.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 if a data set is not available and was skipped.")
    ] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Print what would run and why, without running it.")] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v", "--verbose", help="List every address that was tried for unavailable data, and all reasons."
        ),
    ] = False,
    wait: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="How long to wait for another run in this folder; default: until it has ended.",
        ),
    ] = None,
    scheduler: Scheduler = None,
    insecure: Insecure = False,
    mixed: Mixed = False,
) -> None:
    """Rebuild experiments: fetch, normalise, train, evaluate, compare. Stages that are up to date do not run."""
    from modelyard.cli.run import RunOptions, rebuild
    from modelyard.orchestration.engine import EngineOptions

    engine = EngineOptions(jobs, scheduler, insecure, mixed)
    with exit_on_error():
        raise typer.Exit(rebuild(experiments or [], RunOptions(engine, demo, strict, dry, verbose, wait)))


class TableTask(StrEnum):
    """What can be predicted from a table."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class ImageColour(StrEnum):
    """The colours of samples that are images."""

    GREY = "grey"
    RGB = "rgb"


class ImageFit(StrEnum):
    """How images of other proportions become samples."""

    LETTERBOX = "letterbox"
    CROP = "crop"
    STRETCH = "stretch"


class BrokenImages(StrEnum):
    """What to do with files that cannot be read."""

    REFUSE = "refuse"
    LEAVE_OUT = "leave_out"


TaskOption = Annotated[
    TableTask | None,
    typer.Option(help="Default: classification of text or few whole numbers, else regression."),
]
DropOption = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="Leave a column out; repeat the option for several.")
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=KIND",
        help="What a column holds: number, boolean, category, date, or date:%d.%m.%Y. It is then not dropped.",
    ),
]
MissingOption = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="A value of a column that means no value.")
]
SeparatorOption = Annotated[
    str | None, typer.Option(metavar="CHARACTER", help="Of CSV: , ; | or tab; default: found out.")
]
DecimalOption = Annotated[str | None, typer.Option(metavar="SIGN", help="Of CSV: . or ,")]
EncodingOption = Annotated[str | None, typer.Option(help="Of CSV, such as cp1252; default: utf-8.")]
GroupOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Keep rows with the same value, such as a patient's, in the same part."),
]
TimeOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Test on the last rows by this column of dates or numbers.")
]
SizeOption = Annotated[str | None, typer.Option(metavar="HEIGHTxWIDTH", help="Of images: to which they are resized.")]
ColourOption = Annotated[ImageColour | None, typer.Option(help="Of images; default: rgb, if any has colours.")]
FitOption = Annotated[
    ImageFit | None,
    typer.Option(help="Of images: the whole with black borders (default), the middle, or other proportions."),
]
BrokenOption = Annotated[
    BrokenImages | None, typer.Option(help="What to do with files that are no images; default: refuse.")
]


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard new houses --table houses.csv --target price` with a baseline, boosting and a network\n"
    "* `modelyard new animals --images pets/` with a baseline and a convolutional network\n"
    "* `modelyard new houses --empty` without data"
)
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that does not exist yet; also the name.")],
    table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A table (CSV, Parquet, Feather) to copy into it.")
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of the table to predict.")] = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Images to copy into it, in a subfolder for each class; or an archive."),
    ] = None,
    task: TaskOption = None,
    drop: DropOption = None,
    column: ColumnOption = None,
    missing: MissingOption = None,
    separator: SeparatorOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    group: GroupOption = None,
    time: TimeOption = None,
    size: SizeOption = None,
    colour: ColourOption = None,
    fit: FitOption = None,
    broken: BrokenOption = None,
    empty: Annotated[bool, typer.Option("--empty", help="Without data and experiments.")] = False,
) -> None:
    """Create a project of your own that depends on this package."""
    from modelyard.cli.data import ShowOptions
    from modelyard.cli.new import Data, create

    with exit_on_error():
        create(folder, Data(table, images, ShowOptions.among(locals())), empty)


@app.command()
def upgrade() -> None:
    """Update dvc.yaml and the scripts in a project of `modelyard new` to those of the installed version.

    Edited files are kept, and missing ones are written again.
    """
    from modelyard.cli.upgrade import upgrade

    with exit_on_error():
        upgrade()


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard verify digits_cnn` rebuilds it from its raw files, and compares the result with dvc.lock\n"
    "* `modelyard verify digits_cnn boston_mlp -j 1` rebuilds two experiments, one stage at a time\n"
    "* `modelyard verify digits_cnn --bytes` accepts equal bytes only\n"
    "* `ONEDNN_MAX_CPU_ISA=AVX modelyard verify digits_cnn` computes as a processor without AVX2 does"
)
def verify(
    experiments: Annotated[list[str], typer.Argument(help="Names of experiments that were built.")],
    jobs: Jobs = None,
    only_bytes: Annotated[
        bool, typer.Option("--bytes", help="Exit with code 1 also if a result is equal within the spread only.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdicts as JSON; progress goes to standard error.")
    ] = False,
) -> None:
    """Rebuild experiments in a temporary folder, and compare the results with those in dvc.lock.

    Each is found to have equal bytes, to be equal within the spread (metrics as with another seed, or within the
    confidence interval), or different, with the reason: other code, settings, versions or processor. Nothing in this
    folder is used but the code, the settings and the raw files, and nothing is changed. The exit code is 1 if one is
    different or could not be rebuilt.
    """
    from modelyard.cli.verify import verify as rebuild_and_compare

    with exit_on_error():
        raise typer.Exit(rebuild_and_compare(experiments, jobs, only_bytes, as_json))


@app.command()
def experiments() -> None:
    """List all experiments, each with its data set, model family and main metric."""
    from modelyard.cli.experiments import list_experiments

    with exit_on_error():
        list_experiments()


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard tune digits_cnn` starts or resumes the study, up to the number of trials in params.yaml\n"
    "* `modelyard tune digits_cnn --trials 60 --jobs 2` extends the study to 60 trials\n"
    "* `modelyard tune mnist_cnn --storage postgresql+psycopg://user@host/studies` shares the study with other "
    "machines, where you add `--join`\n"
    "* `modelyard tune digits_cnn --show` prints the trials\n"
    "* `modelyard tune digits_cnn --confirm` trains the best three trials and the baseline with five more seeds\n"
    "* `modelyard tune digits_cnn --apply` writes the best trial into params.yaml, once confirmed also a claim\n"
    "* `modelyard tune digits_cnn --new` starts a new study and keeps the old one"
)
def tune(
    study: Annotated[str, typer.Argument(help="A name under `studies` in params.yaml.")],
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="Total number of trials, including finished ones; default: `n_trials` in params.yaml."
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=1, help="Start no more trials after this many seconds; default: `timeout` in params.yaml."),
    ] = None,
    jobs: Jobs = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Journal file or database URL; default: MODELYARD_OPTUNA_STORAGE, or a file in .modelyard/studies/."
        ),
    ] = None,
    join: Annotated[bool, typer.Option("--join", help="Join a study that another machine has started.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Start a new study and keep the previous one.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the finished trials, without running new ones.")] = False,
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="Rank the best three trials and the baseline over five seeds; no new trials."),
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the best trial into params.yaml, without running new ones.")
    ] = False,
    trial: Annotated[
        int | None,
        typer.Option(min=0, help="With --apply: this trial in place of the best one, such as one of a Pareto front."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --apply: overwrite an existing entry that has other values.")
    ] = False,
    scheduler: Scheduler = None,
    insecure: Insecure = False,
    mixed: Mixed = False,
) -> None:
    """Search for settings of an experiment with a better validation score. An interrupted study is resumed."""
    from modelyard.cli.tune import Options, apply_best, search, show_trials
    from modelyard.cli.tune import confirm as confirm_best
    from modelyard.orchestration.engine import EngineOptions

    engine = EngineOptions(jobs, scheduler, insecure, mixed)
    with exit_on_error():
        modes = [f"--{name}" for name, given in (("show", show), ("confirm", confirm), ("apply", apply)) if given]
        if len(modes) > 1:
            raise ModelyardError(f"{' and '.join(modes)} are separate steps: run one after the other")
        of_search = {"--trials": trials, "--timeout": timeout, "--join": join, "--new": new}
        if modes and (given := [option for option, value in of_search.items() if value]):
            raise ModelyardError(f"{', '.join(given)} is for a search, and {modes[0]} runs none: leave it out")
        if not apply and (trial is not None or replace):
            option = "--replace" if trial is None else f"--trial {trial}"
            number = "" if trial is None else f", or write --trials {trial} for the number of trials"
            raise ModelyardError(f"{option} is for --apply: add that{number}")
        if show:
            show_trials(study, storage)
        elif confirm:
            raise typer.Exit(confirm_best(study, storage, engine))
        elif apply:
            apply_best(study, storage, replace, trial)
        else:
            raise typer.Exit(search(study, Options(trials, timeout, engine, storage, join, new)))


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard serve mnist_cnn` answers on http://127.0.0.1:8000; `curl -H 'Content-Type: image/png' "
    "--data-binary @7.png http://127.0.0.1:8000/predict`\n"
    "* `modelyard serve mnist@champion` loads each new champion"
)
def serve(
    model: Annotated[
        str, typer.Argument(help="An experiment, an ONNX file of one, or a registered model such as `mnist@champion`.")
    ],
    host: Annotated[str, typer.Option(help="0.0.0.0: also for other machines; there is no password.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    watch: Annotated[
        float, typer.Option(min=0.1, help="How often to look for a newer version of the model, in seconds.")
    ] = 10.0,
    log: Annotated[
        Path | None, typer.Option(help="Write inputs and answers to this file (.jsonl), one JSON object in a line.")
    ] = None,
    log_megabytes: Annotated[
        float, typer.Option(min=0.001, max=100_000, help="Size of the log; one older file of this size is kept.")
    ] = 10.0,
    engine: Annotated[PredictionEngine, typer.Option(help="As for `modelyard predict`.")] = PredictionEngine.AUTO,
) -> None:
    """Answer requests over HTTP, with metrics for Prometheus; newer versions of the model are loaded."""
    from modelyard.cli.serve import serve

    with exit_on_error():
        serve(model, host, port, watch, log, log_megabytes, engine.value)


class ExportFormat(StrEnum):
    """Values of --format."""

    ONNX = "onnx"
    LITERT = "litert"
    SAVED_MODEL = "saved_model"


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard export mnist_cnn digits/` writes digits/model.onnx, a README and an example\n"
    "* `modelyard export mnist_cnn --format litert phone/` writes a model for LiteRT"
)
def export(
    experiment: Annotated[str, typer.Argument(help="An experiment that was built.")],
    folder: Annotated[Path, typer.Argument(help="A new folder.", metavar="DIR")],
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="onnx: any model. litert (formerly TensorFlow Lite), saved_model: networks."),
    ] = ExportFormat.ONNX,
) -> None:
    """Write a model for other programs, with a README and an example that needs no TensorFlow."""
    from modelyard.cli.export import export

    with exit_on_error():
        export(experiment, form.value, folder)


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard predict mnist_cnn 7.png other.jpg --show predictions.png` also plots them\n"
    "* `modelyard predict boston_mlp tracts.csv -o predictions.csv` writes a CSV file\n"
    "* `modelyard predict boston_mlp tracts.parquet -o predictions.parquet` takes a table larger than "
    "memory\n"
    "* `modelyard predict mnist_cnn --test-row 17` prints the true class as well\n"
    "* `modelyard predict mnist@champion 7.png` uses the registered model"
)
def predict(
    model: Annotated[str, typer.Argument(help="An experiment, or a registered model such as `mnist@champion`.")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Images, text files, or tables (CSV, Parquet, Feather); depends on the model."),
    ] = None,
    test_row: Annotated[
        list[int] | None, typer.Option(min=0, help="Index of a test sample, from 0; repeat the option for several.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the predictions to a CSV or Parquet file, by the end of its name."),
    ] = None,
    show: Annotated[
        Path | None, typer.Option(help="Plot up to 16 samples with their predictions to a PNG file.")
    ] = None,
    engine: Annotated[
        PredictionEngine,
        typer.Option(
            help="ONNX Runtime, which starts fastest, or the library that trained the model. auto: ONNX Runtime, if "
            "the model was converted. Predictions are equal to a relative difference of 1e-4."
        ),
    ] = PredictionEngine.AUTO,
) -> None:
    """Predict files or test samples. Images are resized to the shape that the model needs, but never inverted.

    The column outside_training of the predictions names values that are unlike the training samples.
    If a file cannot be read, an error is printed, the other files are predicted, and the exit code is 1.
    """
    from modelyard.cli.predict import predict

    with exit_on_error():
        raise typer.Exit(predict(model, files or [], test_row or [], output, show, engine.value))


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard check mnist@champion new_images/` compares all images in a folder\n"
    "* `modelyard check boston_mlp tracts.csv --show drift.png -o drift.csv` also writes a plot and a table\n"
    "* `modelyard check boston_mlp tracts.csv --target MEDV` also says whether the metric fell\n"
    "* `modelyard check mnist@champion requests.jsonl` compares what `modelyard serve --log` has logged\n"
    "* `modelyard check mnist@champion labelled/ --target folder` takes the name of each image's folder as its class"
)
def check(
    model: Annotated[str, typer.Argument(help="An experiment, or a registered model such as `mnist@champion`.")],
    files: Annotated[
        list[Path],
        typer.Argument(help="Images, text files or tables, or folders with such files; depends on the model."),
    ],
    target: Annotated[
        str,
        typer.Option(metavar="COLUMN", help="The column with the true targets; `folder` for images and texts."),
    ] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the tests to a CSV or Parquet file.")
    ] = None,
    show: Annotated[Path | None, typer.Option(help="Plot effects and distributions to a PNG file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    engine: Annotated[PredictionEngine, typer.Option(help="As for `modelyard predict`.")] = PredictionEngine.AUTO,
) -> None:
    """Check whether new samples differ from those that a model was trained on by more than chance (data drift).

    The exit code is 1 if a feature has drifted or, with --target, if the metric has fallen by more than chance; also if
    a file or row could not be read.
    """
    from modelyard.cli.check import CheckOptions, check

    with exit_on_error():
        raise typer.Exit(check(model, files, CheckOptions(target, output, show, as_json, engine.value)))


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard clean` prints what would be removed, and asks\n"
    "* `modelyard clean --yes` does not ask"
)
def clean(yes: Annotated[bool, typer.Option("-y", "--yes", help="Remove without asking.")] = False) -> None:
    """Free disk space: remove what neither this folder nor a branch, tag or DVC experiment refers to.

    That is: objects of DVC's cache, data and models of entries that params.yaml no longer names, copies of registered
    models, and what killed runs left. Runs of MLflow, studies, and whatever git keeps stay.
    """
    from modelyard.cli.clean import clean

    with exit_on_error():
        clean(yes)


@app.command()
def doctor() -> None:
    """Print versions, processor, disk space, where MLflow runs are stored, and which data sets are available."""
    from modelyard.cli.doctor import examine

    with exit_on_error():
        examine()


@app.command(
    epilog="Examples:\n\n* `modelyard ui` serves http://127.0.0.1:5000\n* `modelyard ui --port 5001` uses another port"
)
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the local server.")] = 5000,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the table of runs in the browser.")
    ] = True,
) -> None:
    """Start the MLflow UI with the runs of this project, and open its table of runs."""
    from modelyard.cli.ui import serve

    with exit_on_error():
        raise typer.Exit(serve(port, browser))


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard promote mnist_cnn` makes it `mnist@champion` if it is significantly better\n"
    "* `modelyard promote digits_cnn --seeds 5` also trains it and the champion with five seeds each\n"
    "* `modelyard promote mnist_mlp --force 'it must fit on the device'` makes it the champion in any case"
)
def promote(
    experiment: Annotated[str, typer.Argument(help="An experiment in params.yaml.")],
    force: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Make it the champion in any case; the reason is stored with the model."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=5,
            help="Train candidate and champion with this many seeds; the candidate must be better over them, too.",
        ),
    ] = None,
) -> None:
    """Register a model under the name of its data set; make it the champion if it is significantly better.

    Each comparison on the same test samples is counted, and needs a clearer difference than the one before.
    """
    from modelyard.cli.promote import promote

    with exit_on_error():
        promote(experiment, force, seeds)


@app.command(epilog="Example:\n\n* `modelyard rollback mnist` restores the champion that the current one replaced")
def rollback(dataset: Annotated[str, typer.Argument(help="The name of a registered model.")]) -> None:
    """Restore the previous champion of a data set."""
    from modelyard.cli.promote import roll_back

    with exit_on_error():
        roll_back(dataset)


@runs.command("backfill", epilog="Example:\n\n* `dvc pull && modelyard runs backfill`")
def runs_backfill() -> None:
    """Add missing MLflow runs of up-to-date results, and mark runs whose process was killed as failed."""
    from modelyard.cli.runs import backfill

    with exit_on_error():
        backfill()


@runs.command("explain", epilog="Example:\n\n* `modelyard runs explain mnist_cnn` explains its latest run")
def runs_explain(
    run: Annotated[
        str, typer.Argument(help="A run ID from the MLflow UI, or an experiment (explains its latest run).")
    ],
) -> None:
    """Print the commit, the data and the commands that reproduce a run."""
    from modelyard.cli.runs import explain

    with exit_on_error():
        explain(run)


@data.command(
    "show",
    epilog="Examples:\n\n"
    "* `modelyard data show houses.csv` prints what each column holds\n"
    "* `modelyard data show houses.csv --target price` also proposes the entries for params.yaml\n"
    "* `modelyard data show houses.csv --target price --add houses` writes them there\n"
    "* `modelyard data show houses.csv --target price --drop agent --missing rooms=-1` leaves out agent, and takes "
    "-1 rooms as no value\n"
    "* `modelyard data show photos --add photos` does it for a folder with a subfolder of images for each class\n"
    "* `modelyard data show haus.csv --target Preis --separator ';' --decimal , --encoding cp1252` reads what a "
    "German spreadsheet writes",
)
def data_show(
    file: Annotated[
        Path,
        typer.Argument(
            help="A table: CSV (also .gz or .zip), Parquet or Feather, with named columns. Or images: a folder, or "
            "a .zip or .tar of it, with a subfolder for each class, or train and test with such subfolders."
        ),
    ],
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column to predict.")] = None,
    task: TaskOption = None,
    drop: DropOption = None,
    column: ColumnOption = None,
    missing: MissingOption = None,
    separator: SeparatorOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    group: GroupOption = None,
    time: TimeOption = None,
    size: SizeOption = None,
    colour: ColourOption = None,
    fit: FitOption = None,
    broken: BrokenOption = None,
    add: Annotated[str | None, typer.Option(metavar="NAME", help="Write the entries into params.yaml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what would be read of a table or of images, what looks wrong, and the entries for params.yaml."""
    from modelyard.cli.data import ShowOptions, show

    with exit_on_error():
        show(file, ShowOptions.among(locals()), add, as_json)


@data.command(
    "update",
    epilog="Examples:\n\n* `modelyard data update houses` after houses.csv was edited or replaced\n"
    "* `modelyard data update photos` after images were added to the folder, or removed",
)
def data_update(
    name: Annotated[str, typer.Argument(help="A data set in params.yaml that is a table, or images, with a `path`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the checksum of a new version of a table or of images into params.yaml, and print what has changed.

    Nothing is written if it can no longer be read or its target is gone.
    """
    from modelyard.cli.data import update

    with exit_on_error():
        update(name, as_json)


@app.command(
    epilog="Examples:\n\n* `modelyard report` writes reports/index.html, reports/report.md and the model cards\n"
    "* `modelyard report --against main` adds the changes since branch main"
)
def report(
    against: Annotated[str | None, typer.Option(metavar="REV", help="A commit or branch to compare with.")] = None,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="HTML file to write; its summary is NAME.md, that of index.html report.md."
        ),
    ] = Path("reports/index.html"),
    readme: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the results between the markers of a Markdown file."),
    ] = None,
) -> None:
    """Write all results to one HTML file that works offline, and a Markdown summary."""
    from modelyard.cli.report import report as write

    with exit_on_error():
        write(output, against, readme)


@app.command(
    epilog="Examples:\n\n"
    "* `modelyard replicate --minutes 60` tests the claims in claims.yaml, in about 50 minutes on two cores\n"
    "* `modelyard replicate dropout one_neuron` tests these two claims\n"
    "* `modelyard replicate boston_mlp --seeds 8` compares the published values with 8 runs\n"
    "* `modelyard replicate boston_mlp --splits` also draws new test samples with each seed\n"
    "* `modelyard replicate --minutes 5` begins no run after 5 minutes; run it again to continue\n"
    "* `modelyard replicate --minutes 0` trains nothing, and tests the claims again on the stored runs"
)
def replicate(
    names: Annotated[
        list[str] | None, typer.Argument(help="Experiments or claims; default: all claims but those `on_request`.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds; default: see claims.yaml, or 5 for an experiment.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0, help="Begin no run after this many minutes; what runs then ends first.")
    ] = 30.0,
    jobs: Jobs = None,
    splits: Annotated[
        bool, typer.Option("--splits", help="For experiments: draw new test samples for each seed.")
    ] = False,
    scheduler: Scheduler = None,
    insecure: Insecure = False,
    mixed: Mixed = False,
) -> None:
    """Train experiments with several seeds, and test claims. Finished runs are kept and reused."""
    from modelyard.cli.replicate import replicate as run_over_seeds
    from modelyard.orchestration.engine import EngineOptions

    engine = EngineOptions(jobs, scheduler, insecure, mixed)
    with exit_on_error():
        raise typer.Exit(run_over_seeds(names or [], seeds, minutes, engine, splits))


@app.command(
    epilog="Example:\n\n"
    "* `modelyard explain boston_linear boston_mlp_standard boston_boosting` compares coefficients and importances"
)
def explain(
    experiments: Annotated[list[str], typer.Argument(help="Experiments with the same table as data set.")],
    shuffles: Annotated[int, typer.Option(min=2, help="Number of times that each column is shuffled.")] = 30,
) -> None:
    """Compute feature importance: permutation importance, and the coefficients of linear regressions."""
    from modelyard.cli.explain import explain as explain_models

    with exit_on_error():
        explain_models(experiments, shuffles)


@app.command(
    "label-errors",
    epilog="Examples:\n\n"
    "* `modelyard label-errors digits_cnn` writes reports/label_errors/digits_cnn.csv, and a PNG file with the images\n"
    "* `modelyard label-errors titanic_forest --folds 10 --most 50` fits ten models and lists 50 samples",
)
def label_errors(
    experiment: Annotated[str, typer.Argument(help="A classification in params.yaml; its model is fitted again.")],
    folds: Annotated[
        int, typer.Option(min=2, help="Number of models; each predicts the samples that it was not fitted on.")
    ] = 5,
    most: Annotated[int, typer.Option(min=1, help="Number of samples to write.")] = 150,
) -> None:
    """List the training and validation samples whose class is most doubtful, by confident learning."""
    from modelyard.cli.label_errors import find

    with exit_on_error():
        find(experiment, folds, most)


class SchemaFile(StrEnum):
    """The files that have a JSON Schema."""

    PARAMS = "params"
    CLAIMS = "claims"
    PUBLISHED = "published"


@app.command(epilog="Example:\n\n* `modelyard schema claims > claims.schema.json`; `make schema` writes all three")
def schema(
    file: Annotated[SchemaFile, typer.Argument(help="Name of the file, without .yaml.")] = SchemaFile.PARAMS,
) -> None:
    """Print the JSON Schema of params.yaml, claims.yaml or published.yaml, for use in an editor."""
    import json

    from modelyard.params.schemas import json_schema

    typer.echo(json.dumps(json_schema(file), indent=2))
