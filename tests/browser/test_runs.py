"""What the page shows of runs, while they go on and afterwards."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from .conftest import Open
from .stage import NASTY, Stage


def test_progress_moves_without_a_reload(stage: Stage, visit: Open, begin: Callable[..., str]) -> None:
    """A run that is triggered elsewhere appears by itself, and its bar and figures go on moving."""
    page = visit("#/runs")
    page.evaluate("window.sameDocument = true")

    run = begin("spring")
    row = page.get_by_role("row").filter(has=page.locator(f'a[href="#/runs/{run}"]'))
    bar = row.get_by_role("progressbar")
    expect(row).to_contain_text("Sending")
    expect(bar).to_have_attribute("aria-valuetext", re.compile("of 3,000 recipients"))
    first = sent(bar.get_attribute("aria-valuetext"))
    page.wait_for_function(
        "([run, first]) => Number(document.querySelector(`a[href='#/runs/${run}']`).closest('tr')"
        ".querySelector('.cell-sent span').textContent.replace(/\\D/g, '')) > first + 20", arg=[run, first])

    assert sent(bar.get_attribute("aria-valuetext")) > first
    assert page.evaluate("window.sameDocument")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Spring offer")
    expect(page.locator(".hero-line")).to_contain_text(re.compile(r"\d+/s · \d+ (s|min)"))


def sent(text: str | None) -> int:
    """The number before `of` in a bar's text."""
    return int((text or "0").split(" of ")[0].replace(",", ""))


def test_a_runs_page_groups_its_failures_and_finds_a_recipient(visit: Open, ended: str) -> None:
    """States, figures, failures by reason in words, and a recipient by part of the address."""
    page = visit(f"#/runs/{ended}")

    states = ("Queued", "Preparing", "Sending", "Completed")
    expect(page.locator(".steps li")).to_have_text([re.compile(state) for state in states])
    expect(page.locator(".chart-picture")).to_have_attribute("aria-label", re.compile("Recipients a second"))
    group = page.get_by_role("row").filter(has_text="rcpt_550_5.1.1").filter(has_text="There is no such mailbox.")
    expect(group.locator("strong")).to_have_text("3")
    group.get_by_role("button").click()
    expect(addresses(page)).to_have_text([re.compile(r"^refuse-\d+@")] * 3)
    page.get_by_label("Search the recipients").fill("refuse-9@")
    expect(addresses(page)).to_have_text(["refuse-9@post.example.com"])
    page.get_by_label("Search the recipients").fill("nobody-at-all")
    expect(page.locator(".nobody")).to_have_text("Nobody is like that.")


def addresses(page: Page) -> Locator:
    """The recipients that are shown."""
    return page.locator(".people-table .address")


def test_pages_of_recipients_add_up(visit: Open, ended: str) -> None:
    """"Show more" shows the rest, each once, and leaves the keyboard at the first one that is new."""
    page = visit(f"#/runs/{ended}")
    expect(addresses(page)).to_have_count(50)

    page.get_by_role("button", name="Show more").click()

    expect(addresses(page)).to_have_count(60)
    assert len(set(addresses(page).all_text_contents())) == 60
    expect(addresses(page).nth(50)).to_be_focused()


def test_a_run_is_found_and_one_that_is_not_there_is_told(visit: Open, ended: str) -> None:
    """The list is searched by id; an address of no run says so, and leads back."""
    page = visit("#/runs")
    page.get_by_label("Search the runs").fill(ended)
    expect(page.locator(".runs tbody tr")).to_have_count(1)
    page.get_by_label("Search the runs").fill("no such thing")
    page.get_by_role("button", name="Show all runs").click()
    expect(page.locator(f'a[href="#/runs/{ended}"]')).to_be_visible()

    page.goto(page.url.split("#")[0] + "#/runs/nobody-knows-it")

    expect(page.get_by_role("heading", name="There is no such run")).to_be_visible()


def test_schedules_show_their_next_slots(visit: Open) -> None:
    """Each with its rule, its zone and four slots; one that is off says that it is."""
    page = visit("#/schedules")

    digest = page.get_by_role("region", name="Schedule monday-digest")
    expect(digest).to_contain_text("0 9 * * MON")
    expect(digest).to_contain_text("Europe/Berlin")
    expect(digest.locator("ol time")).to_have_count(4)
    expect(digest.locator("ol li").first).to_contain_text("Mon 09:00")
    expect(page.get_by_role("region", name="Schedule archive")).to_contain_text("Off")


def test_what_databases_and_providers_say_stays_text(visit: Open, ended: str) -> None:
    """Markup in an address, a reason or an engine's name is shown as it is written, and starts nothing."""
    page = visit()
    hostile = {"email": NASTY, "status": "failed", "reason": f"{NASTY}: {NASTY}", "engine": NASTY, "attempts": 1,
               "possible_duplicate": True, "provider_message_id": NASTY, "finished_at": "2026-01-01T00:00:00Z"}
    page.route("**/recipients?*", lambda route: route.fulfill(json={
        "recipients": [hostile], "next": None, "source": "log"}))
    page.route("**/outcomes", lambda route: route.fulfill(json={"timeline": [], "complete": True, "groups": [
        {"status": "failed", "reason": NASTY, "count": 1, "example_send_id": "x"}]}))

    page.goto(page.url.split("#")[0] + f"#/runs/{ended}")

    expect(addresses(page)).to_have_text([NASTY])
    expect(page.locator(".reasons code")).to_have_text([NASTY])
    assert page.locator("img[src=x]").count() == 0
