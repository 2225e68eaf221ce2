"""Entries for a table of one's own: proposed, tried out, and written into params.yaml."""

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.paths import ROOT

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import prepare
from modelyard.data.readers.table import parse
from modelyard.params.new_entry import TableOptions, add, name_for, propose, read_table

RANDOM = np.random.default_rng(0)
HOUSES = pd.DataFrame(
    {
        "area": RANDOM.uniform(20, 200, 60).round(),
        "garden": np.where(np.arange(60) % 4, RANDOM.uniform(0, 9, 60).round(2), np.nan),
        "kind": ["flat", "house", None] * 20,
        "owner": [f"owner {row}" for row in range(60)],
        "price": np.exp(RANDOM.normal(12, 1, 60)).round(),
    }
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    HOUSES.to_csv("houses.csv", index=False)
    return tmp_path


def test_the_entries_of_a_regression(project: Path) -> None:
    proposal = propose(Path("houses.csv"), TableOptions("price"))
    assert proposal.problem == ""
    assert proposal.entries["datasets"]["houses"].keys() == {
        "reader", "task", "description", "target", "columns", "files"
    }  # fmt: skip
    assert proposal.entries["datasets"]["houses"]["columns"] == {"owner": "drop"}
    assert proposal.entries["inputs"]["houses"] == {
        "dataset": "houses",
        "split": {"test": 0.2, "test_seed": 1, "validation": 0.2},
        "scaling": "standard",
        "target_scaling": "log",
        "imputation": {
            "garden": {"strategy": "median", "add_indicator": True},
            "kind": {"strategy": "most_frequent", "add_indicator": True},
        },
    }
    models = {name: entry["model"]["family"] for name, entry in proposal.entries["experiments"].items()}
    assert models == {f"houses_{family}": family for family in ("baseline", "histogram_boosting", "mlp")}
    assert "task: regression, because price holds 60 different numbers" in proposal.guesses[0]


def test_a_classification_is_stratified_with_its_loss(project: Path) -> None:
    proposal = propose(Path("houses.csv"), TableOptions("kind", missing={"kind": ("x",)}))
    assert proposal.entries["inputs"]["houses"]["split"]["stratify"] is True
    assert proposal.entries["experiments"]["houses_mlp"]["training"]["loss"] == "sparse_categorical_crossentropy"
    assert "20 row(s) with a missing value" in proposal.problem


def table_of_patients(**columns: object) -> None:
    """Write 200 rows of 20 patients."""
    random = np.random.default_rng(0)
    others = {"dose": random.uniform(0, 9, 200).round(2), "pulse": random.normal(70, 9, 200).round(2)}
    pd.DataFrame({**columns, **others}).to_csv("visits.csv", index=False)


PATIENTS = np.arange(200) % 20
SAME = "if rows of the same {} are alike, write `split: {{test: 0.2, test_seed: 1, validation: 0.2, group: {}}}`"


@pytest.mark.parametrize(
    "name, values",
    [
        ("patient", PATIENTS),
        ("PatientID", PATIENTS + 1000),
        ("customerid", [f"{number:x}" for number in PATIENTS]),
        ("who", [f"P{number:03}" for number in PATIENTS]),
    ],
)
def test_a_column_that_names_what_has_several_rows_is_a_reason_for_groups(name: str, values, project: Path) -> None:
    table_of_patients(**{name: values})
    remarks = propose(Path("visits.csv"), TableOptions("pulse")).remarks
    assert f"{SAME.format(name, name)}, or give --group {name}" in remarks


@pytest.mark.parametrize(
    "name, values",
    [
        ("patient", np.arange(200)),
        ("patient", np.arange(200) % 2),
        ("bid", PATIENTS),
        ("paid", PATIENTS),
        ("rooms", PATIENTS),
        ("month", [f"M{number % 12 + 1}" for number in range(200)]),
        ("person", np.linspace(0.5, 9.5, 20)[PATIENTS]),
    ],
)
def test_other_columns_are_none(name: str, values, project: Path) -> None:
    table_of_patients(**{name: values})
    assert not [text for text in propose(Path("visits.csv"), TableOptions("pulse")).remarks if "--group" in text]


def test_rows_are_divided_by_the_groups_or_the_time_that_are_given(project: Path) -> None:
    table_of_patients(patient=PATIENTS, day=np.arange(200), well=np.where(PATIENTS % 3, "yes", "no"))
    grouped = propose(Path("visits.csv"), TableOptions("well", group="patient"))
    assert grouped.problem == ""
    assert grouped.entries["inputs"]["visits"]["split"] == {
        "test": 0.2, "test_seed": 1, "validation": 0.2, "group": "patient"
    }  # fmt: skip
    assert grouped.entries["datasets"]["visits"]["columns"]["patient"] == "drop"
    assert not [text for text in grouped.remarks if "--group" in text]
    kept = propose(Path("visits.csv"), TableOptions("well", group="patient", columns={"patient": "number"}))
    assert kept.entries["datasets"]["visits"]["columns"]["patient"] == "number"
    timed = propose(Path("visits.csv"), TableOptions("pulse", time="day"))
    assert timed.problem == ""
    assert timed.entries["inputs"]["visits"]["split"] == {"test": 0.2, "time": "day", "validation": 0.2}


def test_a_date_is_a_reason_to_test_on_later_rows(project: Path) -> None:
    table_of_patients(day=pd.date_range("2024-01-01", periods=200))
    (remark,) = [text for text in propose(Path("visits.csv"), TableOptions("pulse")).remarks if "later" in text]
    assert remark.endswith("write `split: {test: 0.2, time: day, validation: 0.2}`, or give --time day")


def test_a_regression_of_text_is_refused_with_what_can_be_given(project: Path) -> None:
    with pytest.raises(ModelyardError, match="kind holds text: give --task classification, or another --target"):
        propose(Path("houses.csv"), TableOptions("kind", task="regression"))
    assert propose(Path("houses.csv"), TableOptions("area", task="regression")).problem == ""


def test_few_test_samples_are_remarked(project: Path) -> None:
    assert any(
        "12 test samples say little" in text for text in propose(Path("houses.csv"), TableOptions("price")).remarks
    )
    table_of_patients()
    assert not any("say little" in text for text in propose(Path("visits.csv"), TableOptions("pulse")).remarks)


def test_a_table_in_the_project_is_to_be_kept_out_of_git(project: Path, tmp_path_factory) -> None:
    def remarks(file: Path, *, is_kept: bool = False) -> str:
        return "\n".join(propose(file, TableOptions("price"), is_kept=is_kept).remarks)

    HOUSES.to_csv("-my houses.csv", index=False)
    assert "keep it out of git, for example with `dvc add './-my houses.csv'`" in remarks(Path("-my houses.csv"))
    assert "dvc add" not in remarks(Path("houses.csv"), is_kept=True)
    Path("houses.csv.dvc").write_text("outs: []")
    assert "dvc add" not in remarks(Path("houses.csv"))
    outside = tmp_path_factory.mktemp("outside") / "houses.csv"
    HOUSES.to_csv(outside, index=False)
    assert "houses.csv lies outside of this project" in remarks(outside)


@pytest.mark.parametrize("name, target", [
    ("penguins", "species"), ("titanic", "Survived"), ("california_housing", "median_house_value"), ("taxis", "fare"),
])  # fmt: skip
def test_the_entries_of_real_tables_are_added_and_can_be_built(
    name: str, target: str, project: Path, real_file: Callable[..., Path]
) -> None:
    file = project / "data" / f"{name}.csv"
    file.parent.mkdir()
    file.write_bytes(real_file(f"tables/{name}.csv").read_bytes())
    before = (project / "params.yaml").read_text()
    add(propose(file, TableOptions(target)))
    after = (project / "params.yaml").read_text()
    lines = iter(after.splitlines())
    assert all(line in lines for line in before.splitlines())  # all are there, in their order
    loaded = params.load()
    assert loaded.datasets[name].files[f"{name}.csv"].path == f"data/{name}.csv"
    raw = parse(read_table(file, loaded.datasets[name].csv_format), loaded.datasets[name])
    training, test = prepare(raw, loaded.datasets[name].task, loaded.inputs[name])
    assert len(training.samples) + len(test) == len(pd.read_csv(file))


@pytest.mark.parametrize("name", ["houses.csv.gz", "houses.zip", "houses.parquet", "houses.feather", "My Houses é.csv"])
def test_other_files_of_the_same_table_give_the_same_entries(name: str, project: Path) -> None:
    expected = propose(Path("houses.csv"), TableOptions("price")).entries["inputs"]["houses"]
    text = Path("houses.csv").read_bytes()
    if name.endswith(".gz"):
        Path(name).write_bytes(gzip.compress(text))
    elif name.endswith(".zip"):
        with zipfile.ZipFile(name, "w") as archive:
            archive.writestr("houses.csv", text)
    elif name.endswith(".csv"):
        Path(name).write_bytes(text)
    else:
        getattr(HOUSES, f"to_{name.rpartition('.')[2]}")(name)
    proposal = propose(Path(name), TableOptions("price"), "houses")
    assert proposal.entries["inputs"]["houses"] == expected
    add(proposal)
    assert params.load().datasets["houses"].files.keys() == {name.replace("My Houses é", "My_Houses_")}


@pytest.mark.parametrize(
    "options, message",
    [
        (TableOptions("prize"), "houses.csv: no column 'prize' (--target); did you mean price?"),
        (TableOptions("price", columns={"Area": "drop"}), "no column 'Area' (--drop); did you mean area?"),
        (TableOptions("price", columns={"Area": "number"}), "no column 'Area' (--column); did you mean area?"),
        (TableOptions("price", missing={"x": ("1",)}), "no column 'x' (--missing); allowed: area, garden"),
        (TableOptions("price", csv_format={"separator": "x"}), "--separator: 'x' is not possible"),
        (TableOptions("price", columns={"price": "drop"}), "houses.csv: price is the target, and cannot be dropped"),
        (TableOptions("price", group="own"), "no column 'own' (--group); did you mean owner?"),
        (TableOptions("price", group="owner", time="area"), "--group and --time exclude each other"),
        (TableOptions("price", time="price"), "price is the target, and says nothing of how to divide the rows"),
        (TableOptions("price", columns={"area": "nmber"}), "--column area: 'nmber' is not possible"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(options: TableOptions, message: str, project: Path) -> None:
    with pytest.raises(ModelyardError) as raised:
        propose(Path("houses.csv"), options)
    assert message in str(raised.value)


def test_options_that_do_not_fit_together_are_refused_without_the_settings_made_of_them(project: Path) -> None:
    with pytest.raises(ModelyardError, match=r"^columns\.price: it is the target"):
        propose(Path("houses.csv"), TableOptions("price", columns={"price": "category"}))


def test_a_file_that_is_missing_or_a_folder_or_of_another_encoding_is_refused(project: Path) -> None:
    with pytest.raises(ModelyardError, match=r"houses\.tsv: no such file; check the path"):
        propose(Path("houses.tsv"), TableOptions())
    with pytest.raises(ModelyardError, match="is a folder"):
        propose(project, TableOptions())
    Path("a.csv").write_bytes("Größe,y\n1,2\n".encode("cp1252"))
    with pytest.raises(ModelyardError, match="Here: --encoding cp1252"):
        propose(Path("a.csv"), TableOptions())
    with pytest.raises(ModelyardError, match=r"`encoding: utf-9` is unknown; write utf-8, .*, say$"):
        propose(Path("a.csv"), TableOptions(csv_format={"encoding": "utf-9"}))


def test_nothing_is_overwritten_and_nothing_is_added_that_cannot_be_built(project: Path) -> None:
    add(propose(Path("houses.csv"), TableOptions("price")))
    before = Path("params.yaml").read_bytes()
    with pytest.raises(ModelyardError, match=r"has datasets\.houses already.*--add houses_2"):
        add(propose(Path("houses.csv"), TableOptions("price")))
    with pytest.raises(ModelyardError, match=r"could not be built: .*classes .*one row only"):
        add(propose(Path("houses.csv"), TableOptions("owner"), "owners"))
    with pytest.raises(ModelyardError, match="--add Houses: a name is lower-case words joined by _, such as houses"):
        add(propose(Path("houses.csv"), TableOptions("price"), "Houses"))
    assert Path("params.yaml").read_bytes() == before


@pytest.mark.parametrize(("text", "mistake"), [("fetch: {}\n", "this key is missing"), ("[1]\n", "belong here")])
def test_nothing_is_added_to_a_file_with_mistakes(text: str, mistake: str, project: Path) -> None:
    proposal = propose(Path("houses.csv"), TableOptions("price"))
    (project / "params.yaml").write_text(text)
    with pytest.raises(ModelyardError, match=rf"(?s)params\.yaml has .*{mistake}"):
        add(proposal)
    assert (project / "params.yaml").read_text() == text


def test_names_of_files_become_names_of_entries() -> None:
    names = {"Houses 2024.csv.gz": "houses_2024", "2024.csv": "table_2024", "é.csv": "table"}
    assert {file: name_for(Path(file)) for file in names} == names


def test_the_gaps_of_true_and_false_get_the_most_frequent_value(project: Path) -> None:
    rows = 40
    flags = [None if row % 10 == 0 else row % 3 == 0 for row in range(rows)]
    table = pd.DataFrame({"flag": pd.array(flags, "boolean"), "price": np.random.default_rng(0).normal(size=rows)})
    table.to_parquet("flags.parquet")
    proposal = propose(Path("flags.parquet"), TableOptions("price"))
    assert proposal.problem == ""
    assert proposal.entries["inputs"]["flags"]["imputation"]["flag"]["strategy"] == "most_frequent"
