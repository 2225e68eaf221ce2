"""Entries of params.yaml for a table of one's own: proposed from what the table holds, tried out, and written."""

import math
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from modelyard.core.config import parse_yaml, read_yaml, suggest, with_value
from modelyard.core.errors import ModelyardError
from modelyard.core.files import sha256
from modelyard.data.columns import Column, as_text, to_numbers, type_error, without_gaps
from modelyard.data.inputs import InputSettings, prepare
from modelyard.data.preprocessing import WITHOUT_MEDIAN
from modelyard.data.readers import table_file
from modelyard.data.readers.csv_table import CsvFormat, RawTable, TableError
from modelyard.data.readers.table import TableDataset, parse
from modelyard.data.samples import TARGET_KINDS, Task
from modelyard.data.sources import dvc_remedy
from modelyard.data.splits import check_targets
from modelyard.data.table_checks import Examination, examine, guess_task
from modelyard.data.table_profile import ColumnProfile
from modelyard.params.checks import load
from modelyard.params.yaml_text import add_entry, as_yaml, write_checked

WIDTH = 78  # of printed entries
MANY_GAPS = 0.05  # a share of the rows; with more, a feature says where they are
LARGE = 100.0  # targets from which a network learns nothing unless they are scaled
SKEWED = 1.0  # a skewness from which logarithms are nearer to a normal distribution
FEW_TESTS = 20  # test samples from which little can be said of a model
TEST = 0.2  # the share of the test samples, and of the others that of the validation samples
THINGS = "patient|subject|participant|person|customer|client|user|household|device|machine|sensor"
ENTITY = re.compile(rf"(?i:(?:^|[^a-z])(?:id|(?:{THINGS})(?:[^a-z]?id)?)$)|(?<=[a-z])I[Dd]$")  # a column's name
NUMBERED = re.compile(r"(\D*[A-Za-z]\D*)\d+")  # P001, patient-1
FEW_GROUPS, FEW_NUMBERED = 5, 13  # groups to divide; what is numbered without such a name is not months or grades
ROWS_PER_GROUP = 2  # on average, at least
LOSSES: dict[Task, str] = {"classification": "sparse_categorical_crossentropy", "regression": "mse"}


@dataclass(frozen=True)
class TableOptions:
    """What the user says of a table; the rest is found out.

    Attributes:
        columns: the kind of a column, or drop.
        missing: values of a column that mean no value.
        csv_format: `separator`, `decimal` and `encoding`, where given.
        group: the column by which samples stay together.
        time: the column by which the last samples are for testing.
    """

    target: str = ""
    task: Task | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    csv_format: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    time: str = ""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The entries for a person's own data.

    Attributes:
        name: of the data set and the input; names of experiments begin with it.
        file: the data.
        guesses: what was guessed, and why.
        remarks: what looks wrong with the data as a whole.
        entries: one or more entries of each section; none for a table without a target.
        problem: why these entries cannot be built, or "".
    """

    name: str
    file: Path
    guesses: list[str]
    remarks: list[str]
    entries: dict[str, dict[str, Any]]
    problem: str = ""

    @property
    def text(self) -> str:
        """The entries as they stand in params.yaml."""
        return "\n".join(f"{section}:\n{as_yaml(entries, '  ', WIDTH)}" for section, entries in self.entries.items())


@dataclass(frozen=True, kw_only=True)
class TableProposal(Proposal):
    """A table as it would be read, and its entries.

    Attributes:
        rows: the number of rows.
        examination: what the columns hold, and what looks wrong with them.
    """

    rows: int
    examination: Examination


def name_for(file: Path, kind: str = "table") -> str:
    """Return a name for the entries of a file; that of its kind where its own has no letter to begin with."""
    name = re.sub(r"[^a-z0-9]+", "_", file.name.split(".")[0].lower()).strip("_")
    return name if name[:1].isalpha() else f"{kind}_{name}".rstrip("_")


def propose(
    file: Path, options: TableOptions, name: str = "", root: Path | None = None, is_kept: bool = False
) -> TableProposal:
    """Read a table and propose its entries.

    Args:
        file: the table.
        options: what the user says of it.
        name: of the entries; by default that of the file.
        root: the folder of the project; by default the current one.
        is_kept: whether the caller adds the table to DVC.

    Raises:
        ModelyardError: the file cannot be read as a table, or an option does not fit it.
    """
    name, root = name or name_for(file), root or Path.cwd()
    table = _read_with(file, options)
    target, guesses = options.target.strip(), list[str]()
    for option, given in (
        ("target", [target] if target else []),
        ("drop", [column for column, kind in options.columns.items() if kind == "drop"]),
        ("column", [column for column, kind in options.columns.items() if kind != "drop"]),
        ("missing", options.missing),
        ("group", [options.group] if options.group else []),
        ("time", [options.time] if options.time else []),
    ):
        for column in given:
            if column not in table.columns:
                raise ModelyardError(f"{file}: no column {column!r} (--{option}); {suggest(column, table.columns)}")
    if target and options.columns.get(target) == "drop":
        raise ModelyardError(f"{file}: {target} is the target, and cannot be dropped")
    if target and (error := type_error(table.columns[target], Column(name=target, kind="category"))):
        raise ModelyardError(f"{file}: {error}; choose another target")
    if options.group and options.time:
        raise ModelyardError("--group and --time exclude each other: give the one that matters most")
    if target and target in (options.group, options.time):
        raise ModelyardError(f"{file}: {target} is the target, and says nothing of how to divide the rows")
    task = options.task or "classification"
    if target and (options.task is None or TARGET_KINDS[options.task] == "number"):
        missing, decimal = options.missing.get(target, ()), options.csv_format.get("decimal", ".")
        guessed, why = guess_task(table.columns[target], missing, decimal)
        if options.task is None:
            task = guessed
            (other,) = LOSSES.keys() - {task}
            guesses.append(f"task: {task}, because {target} holds {why}; otherwise give --task {other}")
        elif why == "text":
            raise ModelyardError(f"{file}: {target} holds text: give --task classification, or another --target")
    columns = dict(options.columns)
    if options.group and columns.setdefault(options.group, "drop") == "drop":
        guesses.append(f"columns: {options.group} is no feature, because the groups to come are others")
    settings = validated(
        TableDataset,
        {
            "reader": "table",
            "task": task,
            "description": f"Predict {target} from {file.name}",
            "target": target,
            "columns": columns,
            "missing": dict(options.missing),
            "files": {file_name_for(file): {"path": path_in(root, file), "sha256": sha256(file)}},
            **options.csv_format,
        },
    )
    examination = examine(table, settings)
    remarks = list(examination.remarks.get("", []))
    remarks += place_remarks(settings.files[file_name_for(file)].path or "", root, is_kept)
    if not (options.group or options.time):
        remarks += _split_remarks(table, examination)
    if target and not options.group and (tests := math.ceil(TEST * len(table.rows))) < FEW_TESTS:
        remarks.append(
            f"{tests} test samples say little of a model: collect more rows, or add `evaluate: {{folds: 5}}` to "
            "the experiments"
        )
    proposal = TableProposal(
        name=name,
        file=file,
        rows=len(table.rows),
        examination=examination,
        guesses=guesses,
        remarks=remarks,
        entries={},
    )
    if not target:
        return proposal
    input_settings = _input(name, table, examination, options, guesses)
    entries = {
        "datasets": {name: _dataset(examination.settings)},
        "inputs": {name: input_settings},
        "experiments": _experiments(name, task),
    }
    problem = find_problem(table, examination.settings, InputSettings.model_validate(input_settings))
    return replace(proposal, entries=entries, problem=problem)


def _read_with(file: Path, options: TableOptions) -> RawTable:
    try:
        return read_table(file, validated(CsvFormat, options.csv_format))
    except ModelyardError as error:
        advised = re.search(r"add `encoding: (\S+)`", str(error))
        raise ModelyardError(f"{error} Here: --encoding {advised[1]}" if advised else str(error)) from None


def read_table(file: Path, format_: CsvFormat) -> RawTable:
    """Read the user's own file.

    Raises:
        ModelyardError: it is missing, or no table.
    """
    if file.is_dir():
        raise ModelyardError(f"{file} is a folder: give the file of a table in it.")
    if not file.is_file():
        raise ModelyardError(f"{file}: no such file; {dvc_remedy(file, Path.cwd()) or 'check the path'}.")
    try:
        return table_file.read(file, format_)
    except TableError as error:
        raise ModelyardError(f"{file}: {error}") from None


def find_problem(table: RawTable, settings: TableDataset, input_settings: InputSettings) -> str:
    """Return why the samples of an input cannot be made of a table, "" if they can."""
    try:
        raw = parse(table, settings)
        training, test = prepare(raw, settings.task, input_settings)
        check_targets(training.training, test, settings.task, raw.classes)
    except (TableError, ModelyardError) as error:
        return str(error)
    return ""


def add(proposal: Proposal, file: Path = Path("params.yaml")) -> None:
    """Write the proposed entries into params.yaml; its other lines are kept.

    Raises:
        ModelyardError: they cannot be built, a name is taken, or the file or the new one does not pass its checks;
            nothing was written.
    """
    if proposal.problem:
        raise ModelyardError(f"nothing was added to {file.name}, because it could not be built: {proposal.problem}")
    if not re.fullmatch("[a-z][a-z0-9_]*", proposal.name):
        raise ModelyardError(
            f"--add {proposal.name}: a name is lower-case words joined by _, such as {name_for(proposal.file)}"
        )
    load(file)
    content = read_yaml(file)
    for section, entries in proposal.entries.items():
        for name in entries:
            if name in (content.get(section) or {}):
                raise ModelyardError(
                    f"{file.name} has {section}.{name} already, and nothing is overwritten: give another name, --add "
                    f"{proposal.name}_2, or remove the entry"
                )
    text = file.read_text(encoding="utf-8")
    for section, entries in proposal.entries.items():
        written = as_yaml(entries, width=WIDTH)
        text = add_entry(text, (section,), next(iter(entries)), written)
        for name, entry in parse_yaml(written, file).items():
            content = with_value(content, (section, name), entry)
    write_checked({file: text}, {file: content}, "the entry", "")


def validated(kind: Any, given: Mapping[str, Any]) -> Any:
    """Return settings of a kind.

    Raises:
        ModelyardError: the first mistake, by the option that gives the setting.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as invalid:
        error = invalid.errors()[0]
        if not error["loc"]:  # several settings do not fit together, and the message names them
            raise ModelyardError(error["msg"].removeprefix("Value error, ")) from None
        place = " ".join(str(key).replace("columns", "column") for key in error["loc"][:2])
        raise ModelyardError(f"--{place}: {error['input']!r} is not possible; {error['msg'].lower()}") from None


def file_name_for(file: Path, kind: str = "table") -> str:
    """Return the plain name that the copy of a file gets."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", file.name).lstrip("._-") or f"{kind}{file.suffix}"


def in_shell(path: str) -> str:
    """Return a path as a command line has it: quoted where needed, and never like an option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def place_remarks(path: str, root: Path, is_kept: bool) -> Iterator[str]:
    """Say what to do so that others get the data at `path`, unless DVC keeps it."""
    if Path(path).is_absolute():
        yield f"{Path(path).name} lies outside of this project, and so does what others need: better copy it into it"
    elif not is_kept and not dvc_remedy(root / path, root):
        yield f"{path} lies in this project: keep it out of git, for example with `dvc add {in_shell(path)}`"


def path_in(root: Path, file: Path) -> str:
    """Return the path to write: relative to the project, for a file within it."""
    whole = file.resolve()
    return whole.relative_to(root.resolve()).as_posix() if whole.is_relative_to(root.resolve()) else str(whole)


def _dataset(settings: TableDataset) -> dict[str, Any]:
    written = settings.model_dump(mode="json", exclude_defaults=True)
    keys = ("task", "description", "target", "index", "columns", "missing", "separator", "decimal", "encoding", "files")
    return {"reader": "table"} | {key: written[key] for key in keys if written.get(key)}


def _input(
    name: str, table: RawTable, examination: Examination, options: TableOptions, guesses: list[str]
) -> dict[str, Any]:
    is_class = TARGET_KINDS[examination.settings.task] == "class"
    split = _split(options.group, options.time, is_class)
    settings: dict[str, Any] = {"dataset": name, "split": split, "scaling": "standard"}
    if not is_class and (scaling := _target_scaling(table, examination, guesses)):
        settings["target_scaling"] = scaling
    imputation: dict[str, Any] = {}
    by_strategy: dict[str, list[str]] = {}
    for column in examination.features:
        if column.gaps:
            strategy = "most_frequent" if column.kind in WITHOUT_MEDIAN else "median"
            many = column.gaps > MANY_GAPS * len(table.rows) or column.distinct == 1
            imputation[column.name] = {"strategy": strategy, "add_indicator": True} if many else strategy
            by_strategy.setdefault(f"{strategy}{', and a feature that says where they are,' * many}", []).append(
                column.name
            )
    guesses += [f"imputation: {what} for the gaps of {', '.join(names)}" for what, names in by_strategy.items()]
    return settings | ({"imputation": imputation} if imputation else {})


def _split(group: str, time: str, is_class: bool) -> dict[str, Any]:
    if time:
        return {"test": TEST, "time": time, "validation": TEST}
    by = {"group": group} if group else {"stratify": True} if is_class else {}
    return {"test": TEST, "test_seed": 1, "validation": TEST} | by


def _split_remarks(table: RawTable, examination: Examination) -> Iterator[str]:
    """Which columns may be a reason not to divide the rows at random."""
    if dates := [column.name for column in examination.features if column.kind == "date"]:
        what = "later rows are to be predicted from earlier ones"
        yield f"if {what}, write `{_split_text(time=dates[0])}`, or give --time {shlex.quote(dates[0])}"
    for column in examination.columns:
        if column.role in ("feature", "dropped") and _may_be_groups(column, table):
            name = column.name
            what = f"rows of the same {name} are alike"
            yield f"if {what}, write `{_split_text(group=name)}`, or give --group {shlex.quote(name)}"
            break


def _split_text(group: str = "", time: str = "") -> str:
    return as_yaml({"split": _split(group, time, is_class=False)})


def _may_be_groups(column: ColumnProfile, table: RawTable) -> bool:
    """Whether a column seems to name what has several rows, such as a patient: by its name, or as P001, P002."""
    if not FEW_GROUPS <= column.distinct <= len(table.rows) / ROWS_PER_GROUP:
        return False
    is_text = column.kind in ("text", "category")
    if ENTITY.search(column.name):
        return is_text or (column.kind == "number" and column.whole)
    if not is_text or column.distinct < FEW_NUMBERED:
        return False
    values = as_text(without_gaps(table.columns[column.name], ())).drop_null().unique().to_pylist()
    found = [NUMBERED.fullmatch(value) for value in values]
    return len({each and each[1] for each in found}) == 1 and None not in found


def _target_scaling(table: RawTable, examination: Examination, guesses: list[str]) -> str:
    target = next(column for column in examination.columns if column.role == "target")
    if target.column is None or target.low is None or target.high is None:
        return ""
    values = to_numbers(table.columns[target.name], target.column, examination.settings.decimal).values[:, 0]
    if max(abs(target.low), abs(target.high)) < LARGE:
        return ""
    from scipy.stats import skew

    skewness = skew(values[~np.isnan(values)])
    if target.low >= 0 and skewness > SKEWED:
        guesses.append(f"target_scaling: log, because {target.name} is {target.values}, few of them large")
        return "log"
    guesses.append(f"target_scaling: standard, because {target.name} is {target.values}, large for a network")
    return "standard"


def _experiments(name: str, task: Task) -> dict[str, Any]:
    training = {"seed": 1, "epochs": 100, "loss": LOSSES[task], "early_stopping": {"patience": 10}}
    return {
        f"{name}_baseline": {"input": name, "model": {"family": "baseline"}, "training": {"seed": 1}},
        f"{name}_histogram_boosting": {
            "input": name,
            "model": {"family": "histogram_boosting"},
            "training": {"seed": 1},
        },
        f"{name}_mlp": {"input": name, "model": {"family": "mlp", "units": [64, 32]}, "training": training},
    }
