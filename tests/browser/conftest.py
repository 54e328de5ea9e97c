"""A real Chromium on the page of a real gateway, whose every complaint fails the test that it came in."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from outreach_stream.settings import Settings
from tests.class_cache import class_cache

from .stage import Stage

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync")

WATCH = """addEventListener("securitypolicyviolation", (event) =>
    console.error("policy: " + event.violatedDirective + " " + event.blockedURI))"""

PATIENCE = 30_000
"""Milliseconds that the page may take on a machine that is busy with other tests."""

expect.set_options(timeout=PATIENCE)

type Open = Callable[..., Page]


def chromium() -> str | None:
    """The browser of this machine."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The running system, shared by the tests of the page: each triggers runs of its own."""
    if chromium() is None:
        pytest.skip("There is no Chromium here: install chromium, or Chrome, to have the page tested.")
    with class_cache(Settings().cache_dir):
        stage = Stage(tmp_path_factory.mktemp("stage"), Settings().cache_dir, **os.environ)
        try:
            stage.start()
            yield stage
        finally:
            stage.stop()


@pytest.fixture(scope="package")
def browser(stage: Stage) -> Iterator[Browser]:
    """Chromium, as the machine has it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def visit(stage: Stage, browser: Browser) -> Iterator[Open]:
    """Opens the page: `visit("#/engines", color_scheme="dark", width=390)`.

    At the end of the test nothing may have been complained of: no error of a script, no breach of the policy, no
    request to anybody but the gateway.
    """
    complaints: list[str] = []

    def watch(page: Page, url: str) -> None:
        def heard(message: ConsoleMessage) -> None:
            # An answer of 401, 404 or 409 is said on the console, too; what the page makes of it is tested by itself.
            if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
                complaints.append(message.text)

        def asked(request: Request) -> None:
            if not request.url.startswith((url, "data:", "blob:")):
                complaints.append(f"asked for {request.url}")
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", asked)
        page.add_init_script(WATCH)

    contexts = []

    def opened(fragment: str = "", *, url: str = "", width: int = 1280, height: int = 900, **options: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        watch(page, url or stage.url)
        page.goto(f"{url or stage.url}/{fragment}")
        return page
    yield opened
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def begin(stage: Stage) -> Iterator[Callable[..., str]]:
    """Starts runs that end with the test: `run = begin("spring")`."""
    runs: list[str] = []

    def started(workflow: str, **fields: object) -> str:
        runs.append(stage.trigger(workflow, **fields))
        return runs[-1]
    yield started
    for run in runs:
        stage.cancel(run)


@pytest.fixture(scope="package")
def ended(stage: Stage) -> str:
    """A run of 60 recipients that has ended: 55 sent, 4 failed, 1 in doubt."""
    run = stage.trigger("digest")
    stage.ended(run)
    return run

