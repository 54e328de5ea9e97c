"""Orders that are given on the page, and what becomes of them in the system."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from .conftest import Open
from .stage import NASTY, Stage


def test_pause_resume_and_cancel_by_keyboard_only(stage: Stage, visit: Open, begin: Callable[..., str]) -> None:
    """From the list to the run with j and Enter; p pauses, p resumes, c asks with the safe answer first."""
    run = begin("spring")
    stage.sending(run)
    page = visit("#/runs")
    link = page.locator(f'a[href="#/runs/{run}"]')
    expect(link).to_be_visible()
    for _ in range(30):
        page.keyboard.press("j")
        if link.evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("Enter")
    state = page.locator(".state")
    expect(state).to_have_text("Sending")

    page.keyboard.press("p")
    expect(state).to_have_text("Paused")
    assert stage.run(run)["paused"]
    page.keyboard.press("p")
    expect(state).to_have_text("Sending")
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("who are left will not get it")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("c")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(state).to_have_text("Cancelled")
    counts = stage.run(run)["counts"]
    assert counts["cancelled"] > 0
    assert counts["sent"] + counts["failed"] + counts["in_doubt"] + counts["cancelled"] == 3_000


def test_those_who_failed_are_mailed_again(stage: Stage, visit: Open, ended: str) -> None:
    """The dialog says how many; the replay is a run of its own; a second choice with the same people is refused."""
    page = visit(f"#/runs/{ended}")
    page.get_by_role("button", name="Replay failed").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("4 recipients will be mailed again, as a run of its own.")
    dialog.get_by_role("button", name="Replay them").click()

    expect(page.locator(".facts")).to_contain_text("Replay of")
    again = page.url.rpartition("/")[2]
    assert stage.ended(again)["counts"]["total"] == 4
    assert stage.run(again)["parent"] == ended
    page.go_back()
    page.get_by_role("button", name="Replay failed").click()
    dialog.get_by_label("1 in doubt").check()
    expect(dialog).to_contain_text("some will get it twice")
    dialog.get_by_role("button", name="Replay them").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is a replay of some of them already")


def test_an_engine_is_stopped_and_let_go_on(stage: Stage, visit: Open) -> None:
    """With a reason that others read, as text; then it takes mail again."""
    page = visit("#/engines")
    card = page.get_by_role("region", name="Engine spare")
    card.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_label("Why").fill(NASTY)
    page.get_by_role("dialog").get_by_role("button", name="Stop it").click()

    expect(card).to_contain_text("Stopped")
    expect(card.locator(".reason-text")).to_have_text(NASTY)
    assert engine(stage, "spare")["state"] == "stopped"
    card.get_by_role("button", name="Resume").click()
    expect(card).to_contain_text("Takes mail")
    assert engine(stage, "spare")["state"] == "ok"


def engine(stage: Stage, name: str) -> dict:
    """What the API says of it."""
    return next(each for each in stage.get("/api/v1/engines")["engines"] if each["id"] == name)


def test_the_rate_of_an_engine_is_shown_while_it_sends(stage: Stage, visit: Open, begin: Callable[..., str]) -> None:
    """A meter of what it sends now, of what it may."""
    run = begin("spring")
    stage.sending(run, 60)

    meter = visit("#/engines").get_by_role("meter", name="Rate of relay-eu")

    expect(meter).to_have_attribute("aria-valuemax", "60")
    expect(meter).not_to_have_attribute("aria-valuenow", "0")


def test_a_run_is_looked_at_and_started(stage: Stage, visit: Open) -> None:
    """The dry run shows whom, and the mail as a picture; the confirmation says how many; then it is a run."""
    page = visit("#/workflows")
    page.get_by_role("link", name="Start Weekly digest").click()
    page.get_by_label("discount").fill("40")
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_role("heading", name="60 recipients")).to_be_visible()
    expect(page.locator(".mail-text")).to_contain_text("40 % off")
    expect(page.get_by_text(NASTY).first).to_be_visible()
    page.wait_for_function("document.querySelector('.mail-html img').naturalWidth > 0")

    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_role("dialog")).to_contain_text("60 recipients will be mailed through relay-us.")
    page.get_by_role("dialog").get_by_role("button", name="Start it").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Weekly digest")
    run = page.url.rpartition("/")[2]
    assert stage.ended(run)["counts"]["total"] == 60


def test_a_test_mail_goes_to_oneself(stage: Stage, visit: Open) -> None:
    """It is a run of one, whose page follows."""
    page = visit("#/workflows/digest")
    page.get_by_role("button", name="Test to me").click()
    page.get_by_role("dialog").get_by_label("Your address").fill("me@example.com")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Weekly digest")
    assert stage.ended(run_of(page))["counts"]["total"] == 1


def run_of(page: Page) -> str:
    """The run that the page shows."""
    return page.url.rpartition("/")[2]
