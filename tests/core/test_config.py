"""Settings files: all mistakes are reported at once, with key, line, given value and allowed ones."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import ruamel.yaml.scanner
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field
from ruamel.yaml import YAML
from support.paths import ROOT

from modelyard.core.config import (
    RENAMED,
    Mistake,
    Settings,
    all_values,
    flatten,
    in_yaml,
    load_once,
    nest,
    parse,
    parse_yaml,
    read_yaml,
    suggest,
    suggest_setting,
    with_changes,
)
from modelyard.core.errors import ModelyardError


class Oven(Settings):
    degrees: int = Field(ge=50)
    fan: bool = False


class Kitchen(Settings):
    oven: Oven
    shelves: dict[str, Oven] = Field(default={})
    names: tuple[str, ...] = ()
    size: tuple[int, int] | None = None


def mistakes(kitchen: Kitchen) -> Iterable[Mistake]:
    if kitchen.oven.degrees == 999:
        yield Mistake(("oven", "degrees"), "too hot for this kitchen")
        yield Mistake(("oven", "fan"), "a key that the file leaves out")


GOOD = "oven:\n  degrees: 200\n"


@pytest.fixture
def message(tmp_path: Path):
    """The error message for a kitchen's file with this text."""

    def read(text: str) -> str:
        path = tmp_path / "kitchen.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ModelyardError) as raised:
            parse(Kitchen, path, mistakes)
        return str(raised.value)

    return read


def test_a_right_file_becomes_a_frozen_typed_value(tmp_path: Path):
    (tmp_path / "kitchen.yaml").write_text(GOOD + "names: [a, b]\n")
    kitchen = parse(Kitchen, tmp_path / "kitchen.yaml")
    assert kitchen == Kitchen(oven=Oven(degrees=200), names=("a", "b"))
    with pytest.raises(ValueError, match="frozen"):
        kitchen.oven.degrees = 10


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(GOOD + "  fun: true\n", ("oven.fun (line 3)", "no such key", "did you mean fan?"), id="misspelt"),
        pytest.param(GOOD + "  xyz: 1\n", ("oven.xyz (line 3)", "allowed: degrees, fan"), id="nothing near"),
        pytest.param(GOOD + "  7: 1\n", ("oven.7 (line 3)", "allowed: degrees, fan"), id="not even text"),
        pytest.param("oven: {}\n", ("oven.degrees (line 1): this key is missing",), id="missing"),
        pytest.param("names: []\n", ("oven (line 1): this key is missing",), id="section missing"),
        pytest.param("oven:\n  degrees: '200'\n", ("oven.degrees (line 2), given '200'", "integer"), id="text"),
        pytest.param("oven:\n  degrees: true\n", ("oven.degrees (line 2), given True", "integer"), id="yes or no"),
        pytest.param("oven:\n  degrees: 20\n", ("oven.degrees (line 2), given 20", "or equal to 50"), id="too small"),
        pytest.param(GOOD + "names: [a, 5]\n", ("names.1 (line 3), given 5", "valid string"), id="inside a list"),
        pytest.param(GOOD + "size: [1]\n", ("size (line 3), given (1,): more values belong here",), id="short list"),
        pytest.param("oven: 3\n", ("oven (line 1), given 3",), id="a value for a section"),
        pytest.param("oven:\t200", ("oven (line 1), given 200: keys with values belong here",), id="after a tab"),
        pytest.param("oven:\n", ("oven (line 1), given None: left empty; give a value",), id="section left empty"),
        pytest.param(GOOD + "names:\n", ("names (line 3), given None: left empty; for none, write []",), id="no list"),
        pytest.param(GOOD + "shelves:\n", ("shelves (line 3), given None: left empty; for none, write {}",), id="none"),
        pytest.param("", ("the file (line 1), given None",), id="empty file"),
        pytest.param("- 1\n", ("the file (line 1)", "keys with values belong here"), id="a list"),
        pytest.param(GOOD.replace("200", "999"), ("oven.degrees (line 2), given 999: too hot",), id="does not fit"),
    ],
)
def test_a_mistake_names_the_file_the_key_the_line_and_what_is_allowed(message, content: str, expected: tuple):
    text = message(content)
    assert text.startswith("kitchen.yaml has ")
    assert "nothing was run" in text
    for part in expected:
        assert part in text


def test_several_mistakes_are_reported_at_once_each_with_its_line(message):
    text = message("# a comment\noven: {degrees: hot}\nshelves:\n  low: {degrees: 10}\n  high: {}\n")
    assert text.splitlines()[0] == "kitchen.yaml has 3 mistakes; nothing was run."
    assert "  oven.degrees (line 2), given 'hot': " in text
    assert "  shelves.low.degrees (line 4), given 10: " in text
    assert "  shelves.high.degrees (line 5): this key is missing" in text


def test_a_misspelt_key_hides_no_other_mistake(message):
    text = message("oven: {degree: 200, fun: true, fan: maybe}\nshelves: {low: {degrees: 10, deep: 1}}\n")
    assert text.splitlines()[0] == "kitchen.yaml has 5 mistakes; nothing was run."
    assert "  oven.degree (line 1), given 200: no such key; did you mean degrees?" in text
    assert "  oven.fun (line 1), given True: no such key; did you mean fan?" in text
    assert "  oven.fan (line 1), given 'maybe': input should be a valid boolean" in text
    assert "  shelves.low.deep (line 2), given 1: no such key; allowed: degrees, fan" in text
    assert "  shelves.low.degrees (line 2), given 10: input should be greater than or equal to 50" in text


def test_a_mistake_at_a_key_that_the_file_leaves_out_has_the_line_of_its_section(message):
    assert "oven.fan (line 1): a key that the file leaves out" in message(GOOD.replace("200", "999"))


def test_a_mistake_behind_an_alias_is_reported_under_both_keys_with_the_line_of_the_value(message):
    text = message("oven: &warm {degrees: hot}\nshelves:\n  low: *warm\n")
    assert "oven.degrees (line 1)" in text
    assert "shelves.low.degrees (line 1)" in text


def test_a_mistake_under_a_merged_key_is_reported(message):
    text = message("oven: &warm {degrees: hot}\nshelves:\n  low:\n    <<: *warm\n")
    assert "shelves.low.degrees" in text


def test_a_misspelt_key_has_its_own_line(message):
    assert "(line 3)" in message(GOOD + "  fun: true\n")


@pytest.mark.parametrize(
    "content",
    ["oven: {degrees: 200", "oven:\n\tfan: true", "oven: 1\noven: 2\n", "oven: {degrees: 200}\n---\nnames: []\n"],
)
def test_invalid_yaml_is_reported_with_file_and_line(message, content: str):
    text = message(content)
    assert re.search(r"kitchen\.yaml, line \d: this is not valid YAML: ", text)


@pytest.mark.parametrize("content", ["names: [2001-99-99]\n", "names: &all [*all]\n", "names: [\0]\n"])
def test_a_value_that_yaml_cannot_represent_is_reported(message, content: str):
    assert "kitchen.yaml: this is not valid YAML" in message(content)


def test_a_merge_conflict_is_reported_with_its_line_and_how_to_resolve_it(message):
    text = message(f"<<<<<<< HEAD\n{GOOD}=======\n{GOOD}>>>>>>> other\n")
    assert "kitchen.yaml, line 1: unresolved merge conflict (<<<<<<< HEAD). " in text
    assert "git checkout --ours " in text


def test_a_file_in_another_encoding_is_reported(tmp_path: Path):
    (tmp_path / "a.yaml").write_bytes("name: Größe\n".encode("latin-1"))
    with pytest.raises(ModelyardError, match=r"a\.yaml: not text in UTF-8 \(byte 8 is 0xf6\)"):
        read_yaml(tmp_path / "a.yaml")


def test_a_missing_file_says_where_to_run(tmp_path: Path):
    with pytest.raises(ModelyardError, match=r"none\.yaml: no such file.*dvc\.yaml"):
        parse(Kitchen, tmp_path / "none.yaml")


def test_yaml_is_read_as_version_1_2_with_lists_as_tuples(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("answer: no\nrate: 1e-3\nlist: [1, [2, {deep: [3]}]]\n")
    assert read_yaml(tmp_path / "a.yaml") == {"answer": "no", "rate": 1e-3, "list": (1, (2, {"deep": (3,)}))}


@pytest.mark.parametrize(
    ("word", "allowed", "advice"),
    [
        ("bostn", ["boston", "mnist"], "did you mean boston?"),
        ("zzz", ["boston", "mnist"], "allowed: boston, mnist"),
        ("zzz", [], "allowed: nothing yet"),
        (7, ["seven"], "allowed: seven"),
    ],
)
def test_advice_is_the_nearest_right_spelling_or_all_of_them(word: object, allowed: list, advice: str):
    assert suggest(word, allowed) == advice


@pytest.mark.parametrize(
    ("word", "allowed", "advice"),
    [
        ("trees", ["n_estimators", "max_depth"], "renamed: write n_estimators"),
        ("model.trees", ["model.n_estimators"], "renamed: write model.n_estimators"),
        ("trees", ["treed"], "did you mean treed?"),
        ("max_dept", ["n_estimators", "max_depth"], "did you mean max_depth?"),
    ],
)
def test_advice_for_a_setting_is_its_present_name_if_it_was_renamed(word: str, allowed: list, advice: str):
    assert suggest_setting(word, allowed) == advice


def test_nested_values_are_flattened_to_dotted_keys_and_empty_sections_are_kept():
    nested, flat = {"a": {"b": {"c": 1}, "d": {}}, "e": (2,)}, {"a.b.c": 1, "a.d": {}, "e": (2,)}
    assert flatten(nested) == flat
    assert nest(flat) == nested


def test_all_values_of_settings_include_those_that_are_left_out_of_files():
    class Inner(Settings):
        hidden: str = Field(default="none", exclude_if="none".__eq__)

    class Outer(Settings):
        inner: Inner = Inner()
        numbers: tuple[int, ...] = (1, 2)

    assert Outer().model_dump() == {"inner": {}, "numbers": (1, 2)}
    assert all_values(Outer()) == {"inner": {"hidden": "none"}, "numbers": (1, 2)}


def test_settings_with_changes_are_checked_as_a_file_is():
    kitchen = Kitchen(oven=Oven(degrees=200))
    assert with_changes(kitchen, {"oven.degrees": 250, "names": ("a",)}).oven == Oven(degrees=250)
    assert with_changes(kitchen, {"names": ["a", "b"]}).names == ("a", "b"), "as JSON has it"
    assert kitchen.oven.degrees == 200
    with pytest.raises(ValueError, match="or equal to 50"):
        with_changes(kitchen, {"oven.degrees": 20})
    with pytest.raises(KeyError, match=r"oven\.degrees\.deep"):
        with_changes(kitchen, {"oven.degrees.deep": 1})


def test_text_is_parsed_as_its_file_would_be():
    assert parse_yaml("list: [1, 2]\n", Path("a.yaml")) == {"list": (1, 2)}
    with pytest.raises(ModelyardError, match=r"^a\.yaml, line 1: this is not valid YAML"):
        parse_yaml("list: [1", Path("a.yaml"))


SCALARS = ("on", "yes", "n", "1_000", "017", "0o17", "0x1f", "1:30", "1e5", "12e03", "1.5e3", ".inf", "-.5", "+1", "~")
SCALARS += ("null", "True", "2001-12-14", "2001-12-14t21:59:43.10-05:00", "''", "'1'", "!!str 1", "!!float 1", "é")


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("directive", ["", "%YAML 1.1\n---\n"])
def test_a_value_is_what_dvc_reads(scalar: str, directive: str):
    text = f"{directive}- {scalar}\n- a: {scalar}\n"
    ours, expected = load_once(text), YAML(typ="safe").load(text)
    assert repr(ours) == repr(expected)


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a: [1\n", "a: !unknown 1\n", "- 1\n--- 2\n", "a: 2001-13-45\n", "="])
def test_what_dvc_refuses_is_refused(text: str):
    with pytest.raises(Exception) as expected:
        YAML(typ="safe").load(text)
    with pytest.raises(expected.type):
        load_once(text)


@given(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=50))
@example("price, USD")
@example("n/a")
@example("rooms: all #")
@example("2024-01-31")
def test_a_text_in_a_line_of_yaml_is_read_back_equal(text: str):
    assert load_once(f"columns: {{{in_yaml(text)}: [{in_yaml(text)}]}}") == {"columns": {text: [text]}}


def test_plain_words_have_no_quotes_in_yaml():
    assert [in_yaml(text) for text in ("n/a", "living area", "no", "?")] == ["n/a", "living area", '"no"', '"?"']


def test_yaml_is_parsed_in_c(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ruamel.yaml.scanner.Scanner, "__init__", None)
    assert load_once("parsed: in C\n") == {"parsed": "in C"}


def test_a_text_is_parsed_once():
    assert load_once("parsed: once\n") is load_once("parsed: once\n")


def test_every_renamed_key_is_in_the_list_of_changes():
    listed = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [each for each in RENAMED.items() if "| `{}` | `{}` |".format(*each) not in listed] == []
