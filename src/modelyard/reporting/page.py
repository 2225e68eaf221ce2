"""The report as one HTML page without scripts, that loads nothing."""

from importlib.resources import files
from typing import Any

from modelyard.core.report_text import CODE, duration_text, setting_text
from modelyard.metrics.definitions import is_in_target_unit
from modelyard.reporting.contents import ReportContents
from modelyard.reporting.notebook_findings import FINDINGS_NOTE, FINDINGS_TITLE

TEMPLATE = "page.html.jinja"


def html_page(contents: ReportContents) -> str:
    """The HTML of a report."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": _number, "setting": setting_text, "duration": duration_text, "code": _code}
    environment.globals |= {"findings_title": FINDINGS_TITLE, "findings_note": FINDINGS_NOTE}
    environment.tests["in_target_unit"] = is_in_target_unit
    template = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(template).render(report=contents)


def _code(text: str) -> Any:
    """A text with its words in backticks as code."""
    from markupsafe import Markup, escape

    return Markup("").join(
        Markup("<code>{}</code>").format(part.strip("`")) if position % 2 else escape(part)
        for position, part in enumerate(CODE.split(text))
    )


def _number(value: Any) -> str:
    """A number with four significant digits, or all digits of a whole number; other values as they are."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{number:,.0f}" if number.is_integer() and abs(number) < 1e15 else f"{number:.4g}"
