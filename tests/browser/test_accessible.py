"""For everybody: by keyboard, by ear, in dark and light, on a phone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import Open
from .stage import Stage

CHECK = Path(__file__).with_name("accessible.js").read_text(encoding="utf-8")
VIEWS = {"#/runs": ".runs .row", "#/runs/{run}": ".people-table .row", "#/engines": ".engine",
         "#/schedules": ".schedule", "#/workflows": ".workflow", "#/workflows/digest": "form"}
"""Each view, and what is there when it is there."""


def show(page: Page, view: str, run: str) -> None:
    """Go to the view, and wait for its content."""
    page.evaluate("to => { location.hash = to }", view.format(run=run))
    page.locator(VIEWS[view]).first.wait_for()
    if "{run}" in view:
        page.locator(".reasons").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_named_ordered_and_legible(visit: Open, ended: str, scheme: str) -> None:
    """One of each landmark, headings in order, a name for each control, WCAG AA contrast; in both colour schemes."""
    page = visit(color_scheme=scheme, reduced_motion="reduce")
    wrong = {}
    for view in VIEWS:
        show(page, view, ended)
        wrong[view] = page.evaluate(CHECK)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    wrong["dialog"] = page.get_by_role("dialog").evaluate(f"() => ({CHECK})()")

    assert {view: found for view, found in wrong.items() if found} == {}


def test_a_phone_never_scrolls_sideways_and_has_room_for_a_thumb(visit: Open, ended: str) -> None:
    """At 360 pixels, by touch: nothing is wider than the screen, and what is tapped is 44 pixels high."""
    page = visit(width=360, height=740, has_touch=True, is_mobile=True)
    for view in VIEWS:
        show(page, view, ended)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, view
        small = page.evaluate("""() => [...document.querySelectorAll("button, .button, nav a, input")].filter((each) =>
            each.checkVisibility() && each.getBoundingClientRect().height && each.getBoundingClientRect().height < 43.5)
            .map((each) => each.outerHTML.slice(0, 80))""")
        assert small == [], view


def test_a_phones_table_is_a_table_to_screen_readers(visit: Open, ended: str) -> None:
    """Laid out as cards, it has its rows, cells and headers all the same."""
    page = visit(f"#/runs/{ended}", width=360, height=740)
    table = page.get_by_role("table", name="Recipients of the run")
    expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_count(5)
    assert table.get_by_role("columnheader").all_inner_texts()[0] == "Recipient"


def test_the_keyboard_reaches_everything_and_shows_where_it_is(visit: Open, ended: str) -> None:
    """The first Tab is the way past the head; each further one goes on down the page, with a visible ring."""
    page = visit("#/runs")
    expect(page.locator(f'a[href="#/runs/{ended}"]')).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()

    places = []
    for _ in range(40):
        page.keyboard.press("Tab")
        place = page.evaluate("""() => {
            const element = document.activeElement, box = element.getBoundingClientRect();
            const style = getComputedStyle(element), after = getComputedStyle(element, "::after");
            const ring = [style, after].some((each) => each.outlineStyle !== "none");
            return element === document.body ? null : { ring,
                name: element.ariaLabel || element.textContent, top: box.top + scrollY };
        }""")
        if place is None or place["name"].startswith("Skip"):
            break
        places.append(place)

    assert all(place["ring"] for place in places), places
    names = " ".join(place["name"] for place in places)
    assert all(each in names for each in ("Runs", "Engines", "Start a run", "Live", "Search the runs", "Weekly digest"))
    tops = [place["top"] for place in places]
    assert tops == sorted(tops, key=lambda top: top // 60), "down the page"


def test_keys_are_explained_and_can_be_turned_off(visit: Open, ended: str) -> None:
    """? lists them, / goes to the search, and who turns single keys off has turned them off (WCAG 2.1.4)."""
    page = visit("#/runs")
    expect(page.locator(f'a[href="#/runs/{ended}"]')).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Search the runs")).to_be_focused()
    page.keyboard.type("gge")
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    page.keyboard.press("Escape")
    page.locator("main").focus()
    page.keyboard.press("?")
    page.get_by_role("dialog").get_by_label("Single keys are shortcuts").uncheck()
    page.keyboard.press("Escape")

    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    page.keyboard.press("?")
    page.get_by_role("dialog").get_by_label("Single keys are shortcuts").check()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page.get_by_role("heading", level=1)).to_have_text("Engines")


def test_turns_of_a_run_are_said(stage: Stage, visit: Open, begin: Callable[..., str]) -> None:
    """A screen reader hears that a run is paused, whoever paused it."""
    run = begin("spring")
    stage.sending(run)
    page = visit("#/runs")
    expect(page.locator(f'a[href="#/runs/{run}"]')).to_be_visible()

    stage.post(f"/api/v1/runs/{run}/pause")

    expect(page.locator("#said")).to_have_text("Spring offer is paused.")


def test_the_colours_follow_the_system_or_the_reader(visit: Open) -> None:
    """As the system has it, until somebody chooses; the choice is remembered, and there before the page is painted."""
    page = visit("#/schedules", color_scheme="dark")
    assert luminance(page) < 40
    page.get_by_role("button", name="Colours: as the system has them").click()
    assert luminance(page) > 200

    page.reload(wait_until="commit")
    page.locator("body").wait_for()

    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert luminance(page) > 200


def luminance(page: Page) -> float:
    """How light the page's ground is, 0 to 255."""
    colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    parts = [float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    return sum(parts) / 3
