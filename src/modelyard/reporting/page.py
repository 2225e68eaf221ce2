"""The report as one page that needs nothing but itself: no script, no font, no picture from outside."""

from importlib.resources import files
from typing import Any

from modelyard.reporting.contents import Contents

TEMPLATE = "page.html.jinja"


def page(contents: Contents) -> str:
    """The HTML of a report."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": _figure, "value": _value, "duration": _duration}
    template = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(template).render(report=contents)


def _figure(value: Any) -> str:
    """A number with four digits that count; whole numbers whole, what is no number as it is."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{number:,.0f}" if number.is_integer() and abs(number) < 1e15 else f"{number:.4g}"


def _value(value: Any) -> str:
    """A setting as it could stand in params.yaml."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return "nothing" if value is None else str(value)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
