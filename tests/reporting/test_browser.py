"""The report in Chromium: no errors, no requests, readable on a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from modelyard import reporting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TIMEOUT = 120_000  # milliseconds; the machine may be busy

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="NOT TESTED: Chromium is not installed; apt-get install chromium"
)


class OpenPage(NamedTuple):
    """A page in the browser, with its console messages and its requests."""

    page: "Page"
    messages: list[str]
    requests: list[str]


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, timeout=TIMEOUT, args=["--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(original: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report that has every section."""
    target = tmp_path_factory.mktemp("elsewhere") / "sent by mail.html"  # not beside the project's files
    reporting.write(original, target, "HEAD")
    return target.as_uri()


@pytest.fixture(params=[(1280, 900, "light"), (1280, 900, "dark"), (360, 740, "light"), (360, 740, "dark")])
def opened(browser: "Browser", address: str, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    width, height, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    context.set_default_timeout(TIMEOUT)
    opened = OpenPage(context.new_page(), [], [])
    opened.page.on("console", lambda message: opened.messages.append(message.text))
    opened.page.on("pageerror", lambda error: opened.messages.append(str(error)))
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.goto(address)
    yield opened
    context.close()


def open_all(page: "Page") -> None:
    """Open all sections, and wait until every image is loaded."""
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.evaluate("document.querySelectorAll('img').forEach(each => each.loading = 'eager')")
    page.wait_for_function("[...document.images].every(each => each.complete)")


def test_the_page_has_no_errors_and_requests_nothing(opened: OpenPage, address: str) -> None:
    open_all(opened.page)
    assert opened.messages == []
    assert [request for request in opened.requests if request != address and not request.startswith("data:")] == []
    assert opened.page.evaluate("[...document.images].map(each => each.naturalWidth).sort()") == [60] * 5 + [900] * 3


def test_the_page_fits_the_screen_and_its_text_is_large_enough(opened: OpenPage) -> None:
    open_all(opened.page)
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    size = "each => parseFloat(getComputedStyle(each).fontSize)"
    assert min(opened.page.evaluate(f"[...document.querySelectorAll('td, th, dd, p, a')].map({size})")) >= 12


def test_the_page_follows_the_colour_scheme_of_the_browser(opened: OpenPage, request: pytest.FixtureRequest) -> None:
    paper, ink = opened.page.evaluate(
        "(({backgroundColor, color}) => [backgroundColor, color])(getComputedStyle(document.body))"
    )
    is_dark = opened.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    brightness = [sum(map(int, colour.strip("rgb()").split(","))) for colour in (paper, ink)]
    assert (brightness[0] < brightness[1]) == is_dark
    assert abs(brightness[0] - brightness[1]) > 400


def test_a_name_in_the_table_opens_its_section_and_a_plot_can_be_enlarged(opened: OpenPage) -> None:
    from playwright.sync_api import expect

    page = opened.page
    page.click(".results a[href='#experiment-boston_mlp']")
    settings = page.locator("#experiment-boston_mlp h4").first
    settings.wait_for(state="visible")
    image = page.locator("#experiment-boston_mlp img").first
    before = image.bounding_box()
    image.click()
    enlarged = page.locator("figure:target")
    enlarged.wait_for(state="visible")
    assert enlarged.bounding_box() | {"x": 0, "y": 0} == {"x": 0, "y": 0, **page.viewport_size}
    assert before["width"] < image.bounding_box()["width"] == 900
    expect(page.locator("figure:target .close")).to_be_in_viewport()
    page.click("figure:target .close")
    settings.wait_for(state="visible")
    assert page.locator("figure:target").count() == 0


def test_every_bar_lies_within_its_cell(opened: OpenPage) -> None:
    script = """[...document.querySelectorAll('.results .bar')].map(bar => {
        const cell = bar.getBoundingClientRect(), mark = bar.querySelector('.interval').getBoundingClientRect();
        return mark.width > 0 && cell.left <= mark.left && mark.right <= cell.right; })"""
    inside = opened.page.evaluate(script)
    assert len(inside) == 7  # of four experiments, one claim and two metrics over seeds
    assert all(inside)
