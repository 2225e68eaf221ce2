"""Typed settings: what every section of params.yaml has in common, and how its mistakes are told."""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, TypeAdapter, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from modelyard.core.errors import ModelyardError


class Settings(BaseModel):
    """Base of every section: frozen, without unknown keys, and without silent conversion ("50" is not 50)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="wrap")
    @classmethod
    def _knows_every_key(cls, given: Any, check: ModelWrapValidatorHandler) -> Any:
        unknown = [key for key in given if key not in cls.model_fields] if isinstance(given, dict) else []
        if not unknown:
            return check(given)
        found = [_no_such_key(key, cls.model_fields, given) for key in unknown]
        try:
            check({key: value for key, value in given.items() if key in cls.model_fields})
        except ValidationError as invalid:  # a key that is missing may be the one that is misspelt
            found += [
                _kept(error) for error in invalid.errors() if (error["type"], len(error["loc"])) != ("missing", 1)
            ]
        raise ValidationError.from_exception_data(cls.__name__, found)


def _no_such_key(key: object, known: Iterable[str], given: Any) -> InitErrorDetails:
    context = {"key": key, "advice": suggest(key, known)}
    return InitErrorDetails(type=PydanticCustomError("unknown_key", "no such key; {advice}", context), input=given)


def _kept(error: Any) -> InitErrorDetails:
    """An error of pydantic's as it was found, to be told with others."""
    kind = PydanticCustomError(error["type"], error["msg"], error.get("ctx"))
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"])


class Mistake(NamedTuple):
    """One mistake: the keys that lead to it, and what is wrong."""

    keys: tuple
    reason: str


WRITE_FOR_NONE = {"dict_type": "for none, write {}", "tuple_type": "for none, write []"}  # by pydantic's error

Parsed = TypeVar("Parsed")
AnySettings = TypeVar("AnySettings", bound=Settings)


def read_yaml(path: Path) -> Any:
    """Read a YAML 1.2 file, as DVC reads it, with every list as a tuple.

    Raises:
        ModelyardError: the file is missing or is not valid YAML.
    """
    return _with_tuples(_load(path, path, YAML(typ="safe")))


def parse_yaml(text: str, path: Path) -> Any:
    """Parse the text of a YAML 1.2 file, as DVC reads it, with every list as a tuple.

    Raises:
        ModelyardError: it is not valid YAML; `path` is the file that the error names.
    """
    return _with_tuples(_load(text, path, YAML(typ="safe")))


def parse(
    kind: type[Parsed], path: Path, find_mistakes: Callable[[Parsed], Iterable[Mistake]] = lambda _: ()
) -> Parsed:
    """Check a YAML file against its type, then look for mistakes between its entries.

    Raises:
        ModelyardError: all mistakes at once, each with its key, its line, what was given and what is allowed.
    """
    given = read_yaml(path)
    try:
        parsed = TypeAdapter(kind).validate_python(given)
        mistakes = list(find_mistakes(parsed))
    except ValidationError as invalid:
        mistakes = [_mistake(error, given) for error in invalid.errors(include_url=False)]
    if not mistakes:
        return parsed
    marked = _load(path, path, YAML())  # slower, and knows the lines
    count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    told = (f"  {_place(mistake, given, marked)}: {mistake.reason}" for mistake in mistakes)
    raise ModelyardError(f"{path.name} has {count}; nothing was run.\n" + "\n".join(told))


def suggest(word: object, allowed: Iterable[str]) -> str:
    """Advice for a name that is not there: the nearest right spelling, or all of them."""
    allowed = list(allowed)
    close = get_close_matches(str(word), allowed, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(allowed) or 'nothing yet'}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values under dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inside = isinstance(value, Mapping) and value
        found |= flatten(value, f"{prefix}{key}.") if inside else {f"{prefix}{key}": value}
    return found


def with_changes(settings: AnySettings, values: Mapping[str, Any]) -> AnySettings:
    """Settings with other values at some dotted keys, checked as if they had been written so.

    Raises:
        KeyError: there is nothing of a key's name to change.
        ValidationError: a value is not allowed there.
    """
    given = settings.model_dump()
    for key, value in values.items():
        *path, last = key.split(".")
        place: Any = given
        for step in path:
            place = place.get(step) if isinstance(place, dict) else None
        if not isinstance(place, dict):
            raise KeyError(key)
        place[last] = value
    return type(settings).model_validate(given)


def _load(source: Path | str, path: Path, yaml: YAML) -> Any:
    try:
        return yaml.load(source)
    except FileNotFoundError:
        raise ModelyardError(f"{path}: no such file. Run from the folder that holds dvc.yaml.") from None
    except YAMLError as error:
        raise ModelyardError(f"{path}: this is not valid YAML.\n{error}") from None


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_with_tuples(item) for item in value)
    return value


def _mistake(error: Any, given: Any) -> Mistake:
    """A pydantic error in the words of the file."""
    keys = _keys_in_file(error["loc"], given)
    if error["type"] == "unknown_key":
        return Mistake((*keys, error["ctx"]["key"]), error["msg"])
    if error["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        return Mistake(keys, suggest(error["input"], allowed))
    if error["type"] == "missing":
        return Mistake((*keys, error["loc"][-1]), "this key is missing")
    if error["type"] == "union_tag_not_found":
        return Mistake((*keys, error["ctx"]["discriminator"].strip("'")), "this key is missing")
    if error["type"] == "union_tag_invalid":
        allowed = re.findall(r"'([^']*)'", error["ctx"]["expected_tags"])
        chooser = error["ctx"]["discriminator"].strip("'")
        return Mistake((*keys, chooser), f"no such {chooser}; {suggest(error['ctx']['tag'], allowed)}")
    if error["input"] is None:
        return Mistake(keys, f"left empty; {WRITE_FOR_NONE.get(error['type'], 'give a value')}")
    reason = error["msg"].removeprefix("Value error, ")
    return Mistake(keys, reason[0].lower() + reason[1:])


def _keys_in_file(location: tuple, given: Any) -> tuple:
    """The part of an error's location that stands in the file: pydantic adds the names of union members."""
    keys = []
    for key in location:
        inside = isinstance(given, dict) and key in given
        inside = inside or (isinstance(given, tuple) and isinstance(key, int) and key < len(given))
        if inside:
            given = given[key]
            keys.append(key)
    return tuple(keys)


def _place(mistake: Mistake, given: Any, marked: Any) -> str:
    """A mistake's key, its line from 1, and the value given there."""
    line = 0
    for key in mistake.keys:
        if isinstance(given, dict) and key not in given:
            return f"{'.'.join(map(str, mistake.keys))} (line {line + 1})"
        marks = (marked.lc.data or {}).get(key)  # none for what a merge key (<<) brought in: its parent's line must do
        line = marks[0] if marks else line
        given, marked = given[key], marked[key]
    value = "" if isinstance(given, dict) else f", given {given!r}"
    return f"{'.'.join(map(str, mistake.keys)) or 'the file'} (line {line + 1}){value}"
