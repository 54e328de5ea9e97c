"""`make screenshots`: the pictures of the page in docs/images, of the real system with runs under way."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from outreach_stream.settings import Settings

from .conftest import ARGUMENTS, chromium
from .stage import Stage

IMAGES = Path(__file__).parents[2] / "docs" / "images"
HEIGHTS = {"runs": 700, "run": 1_130, "engines": 520, "schedules": 560}


def main() -> None:
    """Set the scene, and take each picture in light and in dark, and one on a phone."""
    assert chromium(), "there is no Chromium here"
    IMAGES.mkdir(exist_ok=True)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, sync_playwright() as playwright:
        stage = Stage(Path(folder), Settings().cache_dir, **os.environ)
        try:
            stage.start()
            live = scene(stage)
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
            shoot(stage, browser, "#/runs", "phone", width=390, height=800, color_scheme="light")
            for scheme in ("light", "dark"):
                for name, height in HEIGHTS.items():
                    fragment = f"#/runs/{live}" if name == "run" else f"#/{name}"
                    shoot(stage, browser, fragment, f"{name}-{scheme}", width=1200, height=height, color_scheme=scheme)
            browser.close()
        finally:
            stage.stop()


def scene(stage: Stage) -> str:
    """Ended runs, a paused one, a stopped engine, and a run that goes on; returns that."""
    for _ in range(2):
        stage.ended(stage.trigger("digest"))
    paused = stage.trigger("spare")
    stage.sending(paused, 200)
    stage.post(f"/api/v1/runs/{paused}/pause")
    stage.post("/api/v1/engines/spare/stop", {"reason": "530 5.7.0 this account may not send"})
    live = stage.trigger("spring")
    stage.sending(live, 600)
    return live


def shoot(stage: Stage, browser: Browser, fragment: str, name: str, **options: object) -> None:
    """One picture, when the view has its content and has seen a rate."""
    width, height = options.pop("width"), options.pop("height")
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", **options)
    page = context.new_page()
    page.goto(f"{stage.url}/{fragment}")
    page.locator(".row, .engine, .schedule").first.wait_for()
    page.wait_for_timeout(2_000)
    page.screenshot(path=IMAGES / f"{name}.png")
    context.close()


if __name__ == "__main__":
    main()
