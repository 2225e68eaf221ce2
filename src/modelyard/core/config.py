"""Typed settings: the base of every section of a settings file, and error messages with key and line."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, TypeAdapter, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.resolver import VersionedResolver

from modelyard.core.errors import ModelyardError
from modelyard.core.files import conflict_message, read_text


class Settings(BaseModel):
    """Base of every section: frozen, without unknown keys, and without silent conversion ("50" is not 50)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown_keys(cls, given: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        unknown = [key for key in given if key not in cls.model_fields] if isinstance(given, dict) else []
        if not unknown:
            return check(given)
        errors = [_unknown_key(key, cls.model_fields, given) for key in unknown]
        try:
            check({key: value for key, value in given.items() if key in cls.model_fields})
        except ValidationError as invalid:  # a key that is missing may be the one that is misspelt
            errors += [
                _details(error) for error in invalid.errors() if (error["type"], len(error["loc"])) != ("missing", 1)
            ]
        raise ValidationError.from_exception_data(cls.__name__, errors)


def _unknown_key(key: object, known: Iterable[str], given: Any) -> InitErrorDetails:
    context = {"key": key, "advice": suggest_setting(key, known)}
    return InitErrorDetails(type=PydanticCustomError("unknown_key", "no such key; {advice}", context), input=given)


def _details(error: Any) -> InitErrorDetails:
    """Return a pydantic error in a form that can be raised again."""
    kind = PydanticCustomError(error["type"], error["msg"], error.get("ctx"))
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"])


def first_error(invalid: ValidationError) -> str:
    """The keys that lead to the first error, if it is within the content, and the message."""
    error = invalid.errors(include_url=False)[0]
    return ": ".join(filter(None, (".".join(map(str, error["loc"])), error["msg"])))


class _Resolver(VersionedResolver):
    """The rules of YAML 1.2; its base finds out the version again for each value, which takes a third of the time."""

    @property
    def processing_version(self) -> tuple[int, int]:
        return 1, 2


class Mistake(NamedTuple):
    """One mistake: the keys that lead to it, and the reason."""

    keys: tuple[Any, ...]
    reason: str


PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*([ ./-][A-Za-z0-9_]+)*")
NOT_TEXT = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
RENAMED = {
    "codes": "latent_dim",
    "context": "head_filters",
    "depth": "max_depth",
    "embedding": "embedding_dim",
    "fraction": "test_size",
    "given": "predefined",
    "length": "maxlen",
    "training_rows": "training_samples",
    "seconds": "timeout",
    "trees": "n_estimators",
    "trials": "n_trials",
    "validation_rows": "validation_samples",
    "vary": "search_space",
    "vocabulary": "vocabulary_size",
    "words": "num_words",
}
"""Names of earlier versions, each with its present one, which `suggest` would not find."""

_EMPTY_VALUES = {"dict_type": "for none, write {}", "tuple_type": "for none, write []"}  # by pydantic's error

Parsed = TypeVar("Parsed")
AnySettings = TypeVar("AnySettings", bound=Settings)


def read_yaml(path: Path) -> Any:
    """Read a YAML 1.2 file, as DVC reads it, with every list as a tuple.

    Raises:
        ModelyardError: the file is missing or is not valid YAML.
    """
    return parse_yaml(read_project_file(path), path)


@lru_cache(maxsize=8)
def load_once(text: str) -> Any:
    """Load the text of a YAML 1.2 file as DVC does, once in a process; all callers share what they must not change.

    Raises:
        YAMLError, ValueError: it is not valid YAML.
    """
    yaml = YAML(typ="safe")
    if "%YAML" not in text:  # a file may name another version
        yaml.Resolver = _Resolver
    return yaml.load(text)


def parse_yaml(text: str, path: Path) -> Any:
    """Parse the text of a YAML 1.2 file, as DVC reads it, with every list as a tuple.

    Raises:
        ModelyardError: it is not valid YAML; `path` is the file that the error names.
    """
    try:
        return _with_tuples(_load(text, path, load_once))
    except RecursionError:
        raise ModelyardError(f"{path}: this is not valid YAML: an alias (*) refers to what contains it") from None


def parse(
    kind: type[Parsed], path: Path, find_mistakes: Callable[[Parsed], Iterable[Mistake]] = lambda _: ()
) -> Parsed:
    """Read a YAML file, check it against its type, and then for mistakes between its entries.

    Raises:
        ModelyardError: all mistakes at once, each with its key, its line, the given value and the allowed ones.
    """
    text = read_project_file(path)
    given = parse_yaml(text, path)
    try:
        parsed = TypeAdapter(kind).validate_python(given)
        mistakes = list(find_mistakes(parsed))
    except ValidationError as invalid:
        mistakes = [_mistake(error, given) for error in invalid.errors(include_url=False)]
    if not mistakes:
        return parsed
    marked = _load(text, path, _with_marks)
    count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    texts = (f"  {_location(mistake, given, marked)}: {mistake.reason}" for mistake in mistakes)
    raise ModelyardError(f"{path.name} has {count}; nothing was run.\n" + "\n".join(texts))


def line_of(keys: Iterable[Any], text: str, path: Path) -> int:
    """Return the line, from 1, of the value that keys lead to in the text of a YAML file."""
    return _line(keys, _load(text, path, _with_marks))


def suggest(word: object, allowed: Iterable[str]) -> str:
    """Return advice for an unknown name: the nearest allowed one, or all allowed ones."""
    allowed = list(allowed)
    close = get_close_matches(str(word), allowed, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(allowed) or 'nothing yet'}"


def suggest_setting(word: object, allowed: Iterable[str]) -> str:
    """Return advice for an unknown value or key, which may be dotted: its present name, else what `suggest` says."""
    allowed = list(allowed)
    section, dot, last = str(word).rpartition(".")
    renamed = f"{section}{dot}{RENAMED.get(last, last)}"
    return f"renamed: write {renamed}" if renamed in allowed else suggest(word, allowed)


def is_plain(text: str) -> bool:
    """Whether a text is plain words: YAML parsers do not agree on others without quotes."""
    return bool(PLAIN.fullmatch(text)) and text.lower() not in NOT_TEXT


def in_yaml(text: str) -> str:
    """Return a text as it stands in a line of YAML, as a key or a value.

    Messages have such lines; errors in the rows of a table are too many for ruamel.
    """
    return text if is_plain(text) else json.dumps(text, ensure_ascii=not text.isprintable())


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        is_section = isinstance(value, Mapping) and value
        flat |= flatten(value, f"{prefix}{key}.") if is_section else {f"{prefix}{key}": value}
    return flat


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return values under dotted keys as nested ones, which `flatten` has flattened."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        nested = with_value(nested, tuple(key.split(".")), value)
    return nested


def with_value(settings: Mapping[str, Any], keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return nested settings with another value at the end of `keys`."""
    key, *rest = keys
    return {**settings, key: with_value(settings.get(key) or {}, tuple(rest), value) if rest else value}


def all_values(settings: Settings) -> dict[str, Any]:
    """Return the values of settings by key, also those that `model_dump` leaves out because they are unset."""
    return {key: all_values(value) if isinstance(value, Settings) else value for key, value in settings}


def with_changes(settings: AnySettings, values: Mapping[str, Any]) -> AnySettings:
    """Return settings with other values at some dotted keys, checked as if they were read from a file.

    Raises:
        KeyError: there is no section that could have such a key.
        ValidationError: a value is not allowed there.
    """
    given = settings.model_dump()
    for key, value in values.items():
        *path, last = key.split(".")
        section: Any = given
        for step in path:
            section = section.get(step) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise KeyError(key)
        section[last] = _with_tuples(value)
    return type(settings).model_validate(given)


def read_project_file(path: Path) -> str:
    """Read a text file that every project has.

    Raises:
        ModelyardError: it is not there, or no text.
    """
    try:
        return read_text(path)
    except FileNotFoundError:
        raise ModelyardError(f"{path}: no such file. Run from the folder that holds dvc.yaml.") from None


def _with_marks(text: str) -> Node | None:
    """Return the nodes of a YAML file, which have line numbers: eight times as fast as loading it with them."""
    node: Node | None = YAML(typ="safe").compose(text)
    return node


def _load(text: str, path: Path, load: Callable[[str], Any]) -> Any:
    try:
        return load(text)
    except (YAMLError, ValueError) as error:  # ValueError: a date that does not exist, for example
        raise ModelyardError(conflict_message(text, path) or _syntax_message(text, path, error)) from None


def _syntax_message(text: str, path: Path, error: Exception) -> str:
    """Return where a text is not valid YAML, and why."""
    if not isinstance(error, MarkedYAMLError):
        return f"{path}: this is not valid YAML.\n{error}"
    mark = error.problem_mark or error.context_mark
    reasons = ", ".join(filter(None, (error.context, error.problem)))
    if mark is None:
        return f"{path}: this is not valid YAML: {reasons}"
    lines = text.splitlines()
    number, shown = (mark.line + 1, lines[mark.line].strip()) if mark.line < len(lines) else (len(lines), "its end")
    return f"{path}, line {number}: this is not valid YAML: {reasons}\n  {shown}"


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_with_tuples(item) for item in value)
    return value


def _mistake(error: Any, given: Any) -> Mistake:
    """Return a pydantic error as a mistake: the keys of the file, and a reason that names what is allowed."""
    keys = _keys_in_file(error["loc"], given)
    if error["type"] == "unknown_key":
        return Mistake((*keys, error["ctx"]["key"]), error["msg"])
    if error["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        return Mistake(keys, suggest_setting(error["input"], allowed))
    if error["type"] == "missing" and isinstance(error["loc"][-1], int):  # of a list of a fixed length
        return Mistake(keys, "more values belong here")
    if error["type"] == "missing":
        return Mistake((*keys, error["loc"][-1]), "this key is missing")
    if error["type"] == "union_tag_not_found":
        return Mistake((*keys, error["ctx"]["discriminator"].strip("'")), "this key is missing")
    if error["type"] == "union_tag_invalid":
        allowed = re.findall(r"'([^']*)'", error["ctx"]["expected_tags"])
        chooser = error["ctx"]["discriminator"].strip("'")
        return Mistake((*keys, chooser), f"no such {chooser}; {suggest(error['ctx']['tag'], allowed)}")
    if error["input"] is None:
        return Mistake(keys, f"left empty; {_EMPTY_VALUES.get(error['type'], 'give a value')}")
    if error["type"] == "model_type":
        return Mistake(keys, "keys with values belong here")
    reason = error["msg"].removeprefix("Value error, ")
    return Mistake(keys, reason[0].lower() + reason[1:])


def _keys_in_file(location: tuple[Any, ...], given: Any) -> tuple[Any, ...]:
    """Return the part of an error's location that is in the file: pydantic adds the names of union members."""
    keys = []
    for key in location:
        in_file = isinstance(given, dict) and key in given
        in_file = in_file or (isinstance(given, tuple) and isinstance(key, int) and key < len(given))
        if in_file:
            given = given[key]
            keys.append(key)
    return tuple(keys)


def _location(mistake: Mistake, given: Any, marked: Any) -> str:
    """Return a mistake's key, its line (from 1), and the given value."""
    line = _line(mistake.keys, marked)
    for key in mistake.keys:
        if isinstance(given, dict) and key not in given:
            return f"{'.'.join(map(str, mistake.keys))} (line {line})"
        given = given[key]
    value = "" if isinstance(given, dict) else f", given {given!r}"
    return f"{'.'.join(map(str, mistake.keys)) or 'the file'} (line {line}){value}"


def _line(keys: Iterable[Any], marked: Node | None) -> int:
    """Return the line, from 1, of the value that keys lead to, or of the last part of the way that the file has.

    The keys behind a merge key (<<) are in another place of the file: the line is that of the section that takes them.
    """
    line = 0
    for key in keys:
        name, marked = _entry(marked, key)
        if marked is None:
            break
        line = (name or marked).start_mark.line
    return line + 1


def _entry(marked: Node | None, key: Any) -> tuple[Node | None, Node | None]:
    """Return the nodes of the name and the value of a key; an item of a list has no name."""
    if isinstance(marked, SequenceNode):
        return None, dict(enumerate(marked.value)).get(key)
    names = marked.value if isinstance(marked, MappingNode) else []
    return next(((name, value) for name, value in names if name.value == str(key)), (None, None))
