"""The report on a made-up project: what both of its forms tell, what they name as missing, what changed."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT
from support.projects import CLASSIFICATION, commit, make_project, make_results
from typer.testing import CliRunner, Result

from modelyard import params, reporting
from modelyard.cli import app
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json, write_text

COUNT = len(params.load(ROOT / "params.yaml").all_experiments)

VOID = {"meta", "link", "img", "br"}
LOADING = {"src", "srcset", "poster", "data", "action", "background"}


class Page(HTMLParser):
    """What a page is made of: its text, its links, what it loads; that each tag is closed is asserted on the way."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name in LOADING or (tag == "link" and name == "href"):
                self.loaded.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
            assert not name.startswith("on"), "an attribute with a script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if "style" not in self.open:
            self.words.append(text)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "yard")


def written(project: Path, against: str | None = None) -> tuple[Page, str]:
    """The page and its twin."""
    target = project / "reports" / "index.html"
    reporting.write(project, target, against)
    return Page(target.read_text(encoding="utf-8")), target.with_name("report.md").read_text(encoding="utf-8")


def edit(project: Path, *keys: str, value: object) -> None:
    """Set one value of params.yaml, or remove it."""
    params = YAML(typ="safe").load(project / "params.yaml")
    place = params
    for key in keys[:-1]:
        place = place[key]
    if value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    YAML().dump(params, project / "params.yaml")


def test_the_page_loads_nothing_but_what_it_holds(project: Path) -> None:
    page, _ = written(project)
    assert len(page.loaded) == 7
    assert [source[:30] for source in page.loaded if not source.startswith("data:")] == []
    assert not {"script", "iframe", "object", "embed", "form"} & set(page.tags)


def test_every_link_of_the_page_leads_to_a_part_of_it(project: Path) -> None:
    page, _ = written(project, against="HEAD")
    assert [link for link in page.links if not link.startswith("#")] == []
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_the_page_tells_figures_intervals_and_what_was_published(project: Path) -> None:
    page, _ = written(project)
    assert "correlation 0.85 (0.84 to 0.86)" in page.text
    assert "correlation 0.7958 outside" in page.text
    assert "committed earlier, not rebuilt here" in page.text
    assert f"3 of {COUNT} experiments are built, 1 of them earlier and not here" in page.text


def test_the_page_tells_settings_times_checksums_and_the_end_of_the_training(project: Path) -> None:
    page, _ = written(project)
    for told in (
        "model.units [64, 32]",
        "train: 4.2 s evaluate: 1 min 30 s model fedcba9876543210fedcba9876543210.dir",
        "epoch 2 loss 1.25",
        "MD5 0123456789abcdef0123456789abcdef.dir",
        "boston_housing.npz sha256 f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
        "1 distinct rows both in training and test",
        "boston scaling none , boston_standard scaling standard rows of 13, target in 1000 dollars",
        "boston by correlation; mae in 1000 dollars",
    ):
        assert told in page.text
    assert "learning_rate nothing" not in page.text


def test_the_page_tells_claims_with_their_verdict_and_effect(project: Path) -> None:
    page, twin = written(project)
    compared = "correlation of boston_mlp with input boston_standard less boston_mlp, both with training.epochs 5"
    assert f"{compared}; matters from 0.01" in page.text
    assert "holds: 1" in page.text
    assert "holds +0.03 (+0.01 to +0.05) 0.003 / 1 8" in page.text
    assert "| Regression does better standardised | **holds** | correlation | +0.03 (+0.01 to +0.05) |" in twin


def test_a_claim_says_where_its_difference_is_too_small_to_matter(project: Path) -> None:
    claims = read_json(project / "reports" / "claims.json")
    claims["claims"]["standardised"]["remark"] = "by less than the 0.1 that would matter"
    write_json(project / "reports" / "claims.json", claims)
    page, twin = written(project)
    assert "holds by less than the 0.1 that would matter +0.03" in page.text
    assert "| **holds**, by less than the 0.1 that would matter |" in twin


def test_the_page_tells_how_figures_vary_over_seeds_and_where_the_published_one_lies(project: Path) -> None:
    page, _ = written(project)
    assert "boston_mlp correlation 8 0.79 (0.7733 to 0.8067) 0.02 0.765 to 0.823 0.7958 inside , z +0.3" in page.text
    assert "boston_mlp a split for each seed correlation 1 0.8 0.7958 outside" in page.text
    assert "mae 8 3.1" not in page.text, "the first metric stands for an experiment"


@pytest.mark.parametrize(
    ("difference", "told"),
    [(None, "not run 0"), ({"mean": 0.1, "sd": None, "low": None, "high": None}, "not run +0.1 0")],
)
def test_a_claim_that_ran_once_or_never_has_no_interval(project: Path, difference: dict | None, told: str) -> None:
    claims = read_json(project / "reports" / "claims.json")
    nothing = {"chance_for": None, "chance_against": None, "pairs": 0, "verdict": "not run"}
    claims["claims"]["standardised"] |= nothing | {"difference": difference}
    write_json(project / "reports" / "claims.json", claims)
    assert told in written(project)[0].text


def test_a_study_is_told_in_its_own_words_which_cannot_load_anything(project: Path) -> None:
    page, _ = written(project)
    assert "Best 0.99 <script>alert(1)</script>" in page.text
    assert "epochs 90" in page.text
    assert "h4" in page.tags
    assert not [each for each in page.loaded + page.links if "example.org" in each]


def test_what_is_missing_is_named_with_what_makes_it(project: Path) -> None:
    page, _ = written(project)
    assert "mnist_cnn: not built yet. To build it: modelyard run mnist_cnn" in page.text
    assert (
        "boston_linear: its pictures are not here. To have them: modelyard run boston_linear, or dvc pull" in page.text
    )
    assert "data card of input digits is not here. To make it: dvc repro normalise@digits" in page.text
    assert "times: " not in page.text


def test_a_project_of_which_nothing_is_built_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    contents = reporting.write(tmp_path, tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert f"0 of {COUNT} experiments are built." in page.text
    assert len([each for each in contents.missing if "not built yet" in each]) == COUNT
    assert "times: .dvc/tmp/runner/seconds.json is not there" in page.text


def test_a_broken_picture_is_named_and_the_rest_is_told(project: Path) -> None:
    (project / "results" / "digits_cnn" / "figures" / "confusion.png").write_bytes(b"half a pic")
    page, _ = written(project)
    assert "results/digits_cnn/figures/confusion.png: this is no picture" in page.text
    assert len(page.loaded) == 6


def test_a_broken_file_is_refused_by_its_name(project: Path) -> None:
    write_text(project / "reports" / "claims.json", "<<<<<<< HEAD\n")
    with pytest.raises(ModelyardError, match=r"reports/claims\.json: this cannot be read; rebuild it"):
        reporting.write(project, project / "reports" / "index.html")
    assert not (project / "reports" / "index.html").exists()


def test_names_and_notes_are_shown_as_they_are(project: Path) -> None:
    edit(project, "published", "boston_mlp", "note", value="<b>raw</b> & cooked | *stars*")
    page, _ = written(project)
    assert "<b>raw</b> & cooked | *stars*" in page.text
    assert "b" not in page.tags


def test_the_learning_curve_stands_first_and_every_picture_says_its_size(project: Path) -> None:
    written(project)
    html = (project / "reports" / "index.html").read_text(encoding="utf-8")
    assert html.index("Learning curve: boston_mlp") < html.index("Confusion matrix of the test rows: boston_mlp")
    assert html.count("<img ") == html.count('<img loading="lazy" decoding="async"') == 6
    assert (html.count('width="60" height="40" alt='), html.count('width="900" height="1200" alt=')) == (4, 2)


def test_the_twin_is_short_and_tells_what_was_built(project: Path) -> None:
    _, twin = written(project)
    assert "| boston_mlp | 004 | correlation 0.85 (0.84 to 0.86) | correlation 0.7958 outside | raw features |" in twin
    assert "Not built yet: `xor_perceptron`" in twin
    assert len(twin.splitlines()) < 40


def test_the_report_tells_the_commit_and_whether_files_differ_from_it(project: Path) -> None:
    page, twin = written(project)
    assert "Made up no file differs from it" in page.text
    assert re.search(r"from commit `[0-9a-f]{10}` \(Made up\)\.", twin)
    edit(project, "runtime", "threads", value=2)
    page, twin = written(project)
    assert "1 files differ from it" in page.text
    assert "with 1 files that differ from it." in twin


def test_a_report_leaves_the_working_tree_as_clean_as_it_was(project: Path) -> None:
    written(project)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=project, check=True, capture_output=True, text=True)
    assert status.stdout == ""


def test_a_claim_that_was_not_run_has_no_verdict_that_could_change(project: Path) -> None:
    claims = read_json(project / "reports" / "claims.json")
    claims["claims"]["dropout"] = claims["claims"]["standardised"] | {"verdict": "not run"}
    write_json(project / "reports" / "claims.json", claims)
    _, twin = written(project, against="HEAD")
    assert "Nothing: neither settings, data, figures nor verdicts." in twin


def test_against_the_same_commit_nothing_changed(project: Path) -> None:
    page, twin = written(project, against="HEAD")
    assert "Nothing: neither settings, data, figures nor verdicts." in page.text
    assert "Nothing: neither settings, data, figures nor verdicts." in twin


def test_against_an_earlier_commit_settings_data_figures_and_verdicts_are_told(project: Path) -> None:
    edit(project, "experiments", "boston_mlp", "training", "epochs", value=50)
    make_results(project, "digits_mlp", CLASSIFICATION)
    write_json(
        project / "results" / "boston_mlp" / "metrics.json", {"correlation": 0.8, "mae": 2.5, "mse": 20, "r2": 0.7}
    )
    lock = project / "dvc.lock"
    lock.write_text(lock.read_text().replace("0123456789abcdef", "fedcba9876543210"))
    claims = read_json(project / "reports" / "claims.json")
    claims["claims"]["standardised"]["verdict"] = "does not hold"
    write_json(project / "reports" / "claims.json", claims)
    page, twin = written(project, against="HEAD")
    assert "boston_mlp correlation 0.85 0.8 worse , beyond the earlier interval" in page.text
    assert "boston_mlp mae 3 2.5 better , beyond the earlier interval" in page.text
    for told in (
        "| `boston_mlp` | correlation | 0.85 | 0.8 | worse, beyond the earlier interval |",
        "| `experiments.boston_mlp.training.epochs` | 100 | 50 |",
        "| `data/raw/boston` | 0123456789abcdef0123456789abcdef.dir | fedcba9876543210fedcba9876543210.dir |",
        "| `standardised` | holds | does not hold |",
    ):
        assert told in twin
    assert "mae" not in twin.partition("## Results")[0]  # one figure an experiment


def test_a_change_within_the_earlier_interval_is_not_called_beyond_it(project: Path) -> None:
    write_json(
        project / "results" / "boston_mlp" / "metrics.json", {"correlation": 0.855, "mae": 3, "mse": 20, "r2": 0.7}
    )
    _, twin = written(project, against="HEAD")
    assert "| `boston_mlp` | correlation | 0.85 | 0.855 | better |" in twin


def test_experiments_that_came_and_went_are_named_and_not_told_key_by_key(project: Path) -> None:
    edit(project, "published", "fashion_kernel_7", value=None)
    edit(project, "experiments", "fashion_kernel_7", value=None)
    params = YAML(typ="safe").load(project / "params.yaml")
    edit(project, "experiments", "boston_mlp_again", value=params["experiments"]["boston_mlp"])
    _, twin = written(project, against="HEAD")
    changed = twin.partition("## Results")[0]
    assert "New experiments: `boston_mlp_again`." in changed
    assert "Removed experiments: `fashion_kernel_7`." in changed
    assert "|" not in changed


def test_against_a_commit_from_before_the_settings_of_today_is_told_key_by_key(project: Path) -> None:
    edit(project, "runtime", "long_forgotten", value=3)
    commit(project, "A key that is no longer")
    edit(project, "runtime", "long_forgotten", value=None)
    _, twin = written(project, against="HEAD")
    assert "| `runtime.long_forgotten` | 3 | nothing |" in twin


def modelyard(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})


def test_the_command_tells_where_the_page_is(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    result = modelyard("report")
    assert result.exit_code == 0
    assert f"reports/index.html (0.1 MB): 3 of {COUNT} experiments." in result.output
    assert "reports/report.md" in result.output
    assert " missing; the page's last part names them." in result.output


def test_the_page_goes_where_it_is_asked_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert modelyard("report", "-o", "public/page.html").exit_code == 0
    assert sorted(path.name for path in (project / "public").iterdir()) == ["page.html", "report.md"]


def test_an_unknown_commit_ends_the_command_before_anything_is_written(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    result = modelyard("report", "--against", "nonsense")
    assert result.exit_code == 1
    assert "error: --against nonsense: git knows no such commit." in result.output
    assert not (project / "reports" / "index.html").exists()


def test_a_report_loads_neither_tensorflow_nor_mlflow_nor_dvc(project: Path) -> None:
    code = "import sys; from modelyard.cli import app; app(['report'], standalone_mode=False); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=project, check=True, capture_output=True, text=True)
    loaded = set(found.stdout.splitlines()[-1].split())
    assert "jinja2" in loaded
    assert {"tensorflow", "keras", "mlflow", "optuna", "dvc", "matplotlib"} & loaded == set()


def test_every_experiment_of_params_has_a_section(project: Path) -> None:
    contents = reporting.write(project, project / "reports" / "index.html")
    assert {section.row.experiment for section in contents.sections} == set(
        params.load(project / "params.yaml").all_experiments
    )


def test_the_template_is_packaged() -> None:
    from importlib.resources import files

    assert files("modelyard.reporting").joinpath("page.html.jinja").is_file()
    packaged = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'modelyard = ["reporting/*.jinja"]' in packaged
