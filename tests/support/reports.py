"""A report as tests look at it: its HTML parsed, its Markdown summary and what both were made from."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

from modelyard import reporting
from modelyard.reporting.contents import ReportContents

VOID_TAGS = {"meta", "link", "img", "br"}
LOADING_ATTRIBUTES = {"src", "srcset", "poster", "data", "action", "background"}


class ParsedPage(HTMLParser):
    """The tags, text, links, ids and loaded addresses of a page; asserts that tags are closed and no script is run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
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
            if name in LOADING_ATTRIBUTES or (tag == "link" and name == "href"):
                self.loaded.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
            assert not name.startswith("on"), "an attribute with a script"
        if tag not in VOID_TAGS:
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
        """All words, with one space between them."""
        return re.sub(r"\s+", " ", " ".join(self.words))


class Report(NamedTuple):
    """A report as both of its files have it."""

    page: ParsedPage
    summary: str
    contents: ReportContents


def write_report(project: Path, target: Path, against: str | None = None) -> Report:
    """Write the report of a project and read both of its files."""
    contents = reporting.write(project, target, against)
    page = ParsedPage(target.read_text(encoding="utf-8"))
    return Report(page, reporting.summary_of(target).read_text(encoding="utf-8"), contents)
