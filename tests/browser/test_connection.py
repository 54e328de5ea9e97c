"""Tokens, and what the page does while the gateway is away."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from .conftest import Open
from .stage import Stage


def test_a_token_is_asked_for_and_holds_for_the_tab(stage: Stage, visit: Open, ended: str) -> None:
    """A wrong one is refused with words; a right one shows the runs, without orders that it may not give."""
    page = visit("#/runs", url=stage.guarded)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Token").fill("ort_wrong")
    dialog.get_by_role("button", name="Use it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("This token is not known here")
    dialog.get_by_label("Token").fill(stage.reader)
    page.keyboard.press("Enter")

    page.locator(f'a[href="#/runs/{ended}"]').click()
    expect(page.get_by_text("Your token may look, and give no orders.")).to_be_visible()
    expect(page.get_by_role("button", name="Token of reader: read")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Weekly digest")
    assert page.evaluate("localStorage.length") == 0


def test_who_has_no_token_is_asked_once(stage: Stage, visit: Open) -> None:
    """"Not now" is an answer: the page says what to do, and asks no more by itself."""
    page = visit("#/runs", url=stage.guarded)
    page.get_by_role("dialog").get_by_role("button", name="Not now").click()

    expect(page.locator(".trouble")).to_contain_text("Give a token")
    with page.expect_response(lambda answer: answer.status == 401 and "/health" in answer.url):
        pass
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Give a token").click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.long
def test_a_gateway_that_was_away_is_found_again(stage: Stage, visit: Open, begin: Callable[..., str]) -> None:
    """The page says that it is away, keeps what it showed, and goes on by itself."""
    run = begin("spring")
    stage.sending(run)
    page = visit(f"#/runs/{run}")
    expect(page.locator(".hero-line strong")).to_contain_text("of 3,000")
    stage.workers.kill("gateway")
    expect(page.get_by_role("alert").filter(has_text="The gateway does not answer")).to_be_visible()
    before = page.locator(".hero-line strong").text_content()

    stage.start_gateway()

    expect(page.get_by_role("alert").filter(has_text="The gateway does not answer")).to_have_count(0)
    expect(page.locator(".hero-line strong")).not_to_have_text(str(before))
    expect(page.locator(".pulse")).to_contain_text("Live")


def test_a_broker_that_is_away_is_told(stage: Stage, visit: Open) -> None:
    """While Kafka hangs the banner says that nothing is lost, and it goes when Kafka is back."""
    page = visit("#/runs")
    expect(page.locator(".pulse")).to_contain_text("Live")
    with stage.frozen_broker():
        expect(page.get_by_role("alert").filter(has_text="has lost its Kafka")).to_be_visible()

    expect(page.get_by_role("alert").filter(has_text="has lost its Kafka")).to_have_count(0)
