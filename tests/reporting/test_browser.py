"""The report in a real browser, the system's Chromium: no error, nothing from outside, readable on a phone."""

import shutil
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from support.projects import make_project

from modelyard import reporting

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 120_000  # milliseconds: of a machine with other work to do

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NOT LOOKED AT: no Chromium here; apt-get install chromium")


class Seen(NamedTuple):
    """A page in the browser, with what it said on the console and what it asked for."""

    page: "playwright.sync_api.Page"  # noqa: F821
    said: list[str]
    asked: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.sync_api.Browser"]:  # noqa: F821
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, timeout=PATIENCE, args=["--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report that tells something of everything."""
    project = make_project(tmp_path_factory.mktemp("report") / "yard")
    target = tmp_path_factory.mktemp("elsewhere") / "sent by mail.html"  # from here none of the project's files is near
    reporting.write(project, target, "HEAD")
    return target.as_uri()


@pytest.fixture(params=[(1280, 900, "light"), (1280, 900, "dark"), (360, 740, "light"), (360, 740, "dark")])
def seen(browser, address: str, request: pytest.FixtureRequest) -> Iterator[Seen]:
    width, height, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE)
    found = Seen(context.new_page(), [], [])
    found.page.on("console", lambda message: found.said.append(message.text))
    found.page.on("pageerror", lambda error: found.said.append(str(error)))
    found.page.on("request", lambda asked: found.asked.append(asked.url))
    found.page.goto(address)
    yield found
    context.close()


def open_all(page) -> None:
    """Open everything that can be opened, and wait until every picture is there."""
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.evaluate("document.querySelectorAll('img').forEach(each => each.loading = 'eager')")
    page.wait_for_function("[...document.images].every(each => each.complete)")


def test_all_of_the_report_is_shown_without_an_error_or_anything_from_outside(seen: Seen, address: str) -> None:
    open_all(seen.page)
    assert seen.said == []
    assert [asked for asked in seen.asked if asked != address and not asked.startswith("data:")] == []
    assert seen.page.evaluate("[...document.images].map(each => each.naturalWidth).sort()") == [60] * 4 + [900] * 2


def test_the_report_is_as_wide_as_the_screen_and_its_words_are_large_enough(seen: Seen) -> None:
    open_all(seen.page)
    assert seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    size = "each => parseFloat(getComputedStyle(each).fontSize)"
    assert min(seen.page.evaluate(f"[...document.querySelectorAll('td, th, dd, p, a')].map({size})")) >= 12


def test_the_report_is_light_or_dark_as_the_reader_has_it(seen: Seen, request: pytest.FixtureRequest) -> None:
    paper, ink = seen.page.evaluate(
        "(({backgroundColor, color}) => [backgroundColor, color])(getComputedStyle(document.body))"
    )
    is_dark = seen.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    brightness = [sum(map(int, colour.strip("rgb()").split(","))) for colour in (paper, ink)]
    assert (brightness[0] < brightness[1]) == is_dark
    assert abs(brightness[0] - brightness[1]) > 400


def test_a_name_in_the_table_leads_to_its_section_and_a_picture_can_be_enlarged(seen: Seen) -> None:
    from playwright.sync_api import expect

    page = seen.page
    page.click(".results a[href='#boston_mlp']")
    settings = page.locator("#boston_mlp h4").first
    settings.wait_for(state="visible")
    picture = page.locator("#boston_mlp img").first
    before = picture.bounding_box()
    picture.click()
    enlarged = page.locator("figure:target")
    enlarged.wait_for(state="visible")
    assert enlarged.bounding_box() | {"x": 0, "y": 0} == {"x": 0, "y": 0, **page.viewport_size}
    assert before["width"] < picture.bounding_box()["width"] == 900
    expect(page.locator("figure:target .close")).to_be_in_viewport()
    page.click("figure:target .close")
    settings.wait_for(state="visible")
    assert page.locator("figure:target").count() == 0


def test_every_bar_lies_within_its_place(seen: Seen) -> None:
    inside = """[...document.querySelectorAll('.results .bar')].map(bar => {
        const place = bar.getBoundingClientRect(), mark = bar.querySelector('.interval').getBoundingClientRect();
        return mark.width > 0 && place.left <= mark.left && mark.right <= place.right; })"""
    found = seen.page.evaluate(inside)
    assert len(found) == 5
    assert all(found)
