"""`modelyard check`: whether new samples differ from those that a model was trained on by more than chance."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from modelyard.cli.predict import MOST_ERRORS
from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_json, write_table, write_tables
from modelyard.experiments import evaluate, plots
from modelyard.serving import check as serving
from modelyard.serving import engines, mlflow_log, registry
from modelyard.serving.batch import check_outputs
from modelyard.serving.check import DriftReport, Problems
from modelyard.serving.drift import SMALLEST_EFFECT
from modelyard.serving.drift_plot import plot_drift
from modelyard.serving.engines import Engine, Predictor
from modelyard.serving.reference import ModelReference

if TYPE_CHECKING:
    from modelyard.models import Model

PRINTED = 20  # features
MOST_WARNINGS = 5  # of converted images there is one for each


class CheckOptions(NamedTuple):
    """Options of `modelyard check`; see its help."""

    target: str
    output: Path | None
    show: Path | None
    as_json: bool
    engine: Engine


def check(name: str, paths: Sequence[Path], options: CheckOptions) -> int:
    """Check files and folders of new samples, print the result, and log it to MLflow.

    Returns the exit code: 1 if there is data drift, the metric has fallen, or something could not be read.

    Raises:
        ModelyardError: there is no such model, it has no input contract, or nothing can be read.
    """
    check_outputs(paths, options.output, options.show)
    start = datetime.now(UTC)
    model, reference = load(name, options.engine)
    new = serving.read(paths, model, options.target)
    _print_problems(new.problems)
    report = serving.check(name, model, reference, new)
    _write(report, reference, options, start)
    if options.as_json:
        print(json.dumps(report.as_json(), indent=2))  # noqa: T201
    else:
        _print(report, Console())
    return int(report.is_alarm or bool(new.problems.errors or new.problems.answer_errors or new.incomplete))


def load(name: str, engine: Engine) -> tuple[Predictor, ModelReference]:
    """Load the model of an experiment, or a registered one such as `mnist@champion`, and what it is compared with.

    Raises:
        ModelyardError: there is no such model, or it has no input contract.
    """
    if "@" in name:
        version = registry.resolve(name)
        folder = registry.reference_of(version)
        if folder is None:
            origin = version.tags.get("experiment", "EXPERIMENT")
            raise ModelyardError(
                f"{name} was registered without an input contract. To add one: modelyard run {origin}, then "
                f"modelyard promote {origin}"
            )
        return engines.load_registered(version, engine), ModelReference.load(folder)
    experiment = engines.find(name, Path.cwd())
    model = engines.load(experiment, engine)
    contract = experiment.contract_folder()
    if contract is None:
        raise ModelyardError(f"the input of {name} has no contract yet. Build it: modelyard run {name}")
    evaluation = evaluate.evaluate(cast("Model", model), experiment.test_folder)  # it only predicts
    return model, ModelReference.of(evaluation, contract)


def _write(report: DriftReport, reference: ModelReference, options: CheckOptions, start: datetime) -> None:
    """Write the files that were asked for, and log them all to MLflow."""
    plot, table = plot_drift(report, reference), serving.table(report)
    if options.show:
        options.show.parent.mkdir(parents=True, exist_ok=True)
        plots.save(plot, options.show)
    if options.output:
        write_tables(options.output, [table], follows_link=True)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        plots.save(plot, folder / "drift.png")
        write_table(folder / "drift.csv", table)
        write_json(folder / "drift.json", report.as_json())
        mlflow_log.write(report, folder, start, datetime.now(UTC))


def _print_problems(problems: Problems) -> None:
    """Print the first warnings and errors to standard error."""
    for kind, lines, most in (
        ("warning", problems.warnings, MOST_WARNINGS),
        ("error", (*problems.errors, *problems.answer_errors), MOST_ERRORS),
    ):
        for line in lines[:most]:
            print(f"{kind}: {line}", file=sys.stderr)  # noqa: T201
        if len(lines) > most:
            print(f"{kind}: {len(lines) - most} more, which are not printed", file=sys.stderr)  # noqa: T201


def _print(report: DriftReport, console: Console) -> None:
    columns = (Column(name, overflow="fold") for name in ("feature", "reference", "new", "effect", "p (Holm)", ""))
    table = Table(
        *columns, title=f"New samples for {report.model}", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    ordered = sorted(report.tests, key=lambda each: (not each.has_drifted, each.p_adjusted, -each.test.effect))
    for each in ordered[:PRINTED]:
        texts = map(escape, (each.test.feature, each.test.reference, each.test.new))
        mark = "[bold red]drift[/]" if each.has_drifted else ""
        table.add_row(*texts, f"{each.test.effect:.3f}", f"{each.p_adjusted:.2g}", mark)
    console.print(table)
    lines = [mlflow_log.verdict(report)]
    if len(ordered) > PRINTED:
        more = mlflow_log.count_of(len(ordered) - PRINTED, "more test")
        lines.append(f"{more} with larger p-values: in the file of -o and in --json.")
    if report.rows > report.compared:
        lines.append(f"{report.compared} of {report.rows} samples were compared, drawn at random.")
    if report.smallest_detectable > SMALLEST_EFFECT:
        samples = mlflow_log.count_of(report.compared, "sample")
        lines.append(f"With {samples}, effects below {report.smallest_detectable:.2f} may go unnoticed.")
    if report.outside:
        counts = ", ".join(f"{name} ({count})" for name, count in report.outside.most_common(5))
        lines.append(f"Samples with a value outside the training samples': {counts}.")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
