"""The dashboard's files as they are served: to anybody, whole, and under a policy that lets nothing else in."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from outreach_stream.gateway.page_routes import FOLDER, POLICY, TYPES, page, router

LINES = 250
FILES = sorted(file.name for file in FOLDER.iterdir())


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the page's routes alone."""
    api = FastAPI()
    api.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://gateway") as client:
        yield client


async def test_the_page_names_files_of_its_version_only(client: httpx.AsyncClient) -> None:
    """What the HTML refers to is there, and may be kept for good."""
    answer = await client.get("/")
    named = re.findall(r'(?:src|href)="(assets/[^"]+)"', answer.text)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(named) >= 7
    for each in named:
        file = await client.get(f"/{each}")
        assert file.status_code == 200
        assert "immutable" in file.headers["cache-control"]
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", FILES)
async def test_each_file_comes_with_its_type_and_the_policy(client: httpx.AsyncClient, name: str) -> None:
    """And is one that browsers take for what it is."""
    answer = await client.get(f"/assets/{page().version}/{name}")

    assert answer.headers["content-type"] == TYPES[f".{name.rpartition('.')[2]}"]
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_file_that_the_browser_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    """304 for its ETag, also a weak one among others."""
    etag = (await client.get("/")).headers["etag"]

    again = await client.get("/", headers={"If-None-Match": f'"other", W/{etag}'})

    assert again.status_code == 304
    assert again.content == b""
    assert (await client.get("/", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_another_version_is_answered_and_not_kept(client: httpx.AsyncClient) -> None:
    """While gateways of two versions are behind one name a page still comes whole, and nothing is mixed for good."""
    answer = await client.get("/assets/another/main.js")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapi.py", "%2e%2e%2fapi.py", "page_routes.py", ".", "a\0b"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, name: str) -> None:
    """Whatever is asked for: only what lies in the folder is known at all."""
    answer = await client.get(f"/assets/{page().version}/{name.replace(chr(0), '%00')}")

    assert answer.status_code == 404


def test_imports_lead_to_files_and_nothing_leads_outside() -> None:
    """A name that is misspelt would be seen in a browser only; an address elsewhere would be refused there."""
    for name in FILES:
        text = (FOLDER / name).read_text(encoding="utf-8")
        for imported in re.findall(r'from "\./([^"]+)"', text):
            assert imported in FILES, (name, imported)
        outside = [url for url in re.findall(r"https?://[^\s\"'`)]+", text)
                   if not url.startswith(("http://www.w3.org/", "https://html.spec.whatwg.org/"))]
        assert outside == [], name


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".js", ".html"))])
def test_text_is_never_taken_for_markup(name: str) -> None:
    """What databases and providers say is shown; it makes no elements, styles or scripts."""
    text = (FOLDER / name).read_text(encoding="utf-8")

    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
                      "srcdoc", "style=", "onclick=", "javascript:"):
        assert forbidden not in text.replace('style=""', ""), forbidden


@pytest.mark.parametrize("name", FILES)
def test_files_are_of_a_size_that_is_read(name: str) -> None:
    """Like all others of this repository."""
    assert len((FOLDER / name).read_text(encoding="utf-8").splitlines()) <= LINES
