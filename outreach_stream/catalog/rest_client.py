"""A reader of catalog APIs: pages, ETags, timeouts, and a few retries. See docs/catalog-api.md for the contract."""

import random
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from outreach_stream.catalog.api_access import Access, NoTokenError
from outreach_stream.catalog.contract import LARGEST_PAGE, Collection, CollectionName, Page
from outreach_stream.values import SecretRef

ATTEMPTS = 3
"""Tries of one request, while what fails it may pass."""
FIRST_PAUSE = 0.2
"""Seconds before the second try, doubled before each further one, a random part of it up to all of it."""
RESTARTS = 3
"""Readings of a collection that was changed while it was read."""
TIMEOUT = 10.0
"""Seconds for a connection, and for each part of an answer; a whole answer gets three times that."""
_MOST_PAGES = 100_000
_LARGEST_ANSWER = 512 * 1024 * 1024
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR,
            HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


class CatalogAway(Exception):  # noqa: N818 - named as it is said
    """The API gives no catalog now. `path` is what was asked for; the message says why, and what to look at."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class _PassingError(Exception):
    """What may be gone at the next try."""


class CatalogApi:
    """The API at a URL. Blocks; raises `CatalogAway`. For one thread at a time."""

    def __init__(self, url: str, token: SecretRef | None = None, *, timeout: float = TIMEOUT,
                 page: int = LARGEST_PAGE, sleep: Callable[[float], None] = time.sleep) -> None:
        self.url, self.path = url, urlsplit(url).path
        self._access, self._page, self._sleep, self._longest = Access(url, token, timeout), page, sleep, 3 * timeout

    def collection(self, name: CollectionName, known: Collection | None = None) -> Collection:
        """All objects of a collection; `known` itself if that is what it still is."""
        for _ in range(RESTARTS):
            found = self._read(name, known)
            if found is not None:
                return found
        raise CatalogAway(f"{self.path}/{name}", "was changed each time while its pages were read: trying again later")

    def close(self) -> None:
        """Close the connections."""
        self._access.client.close()

    def _read(self, name: CollectionName, known: Collection | None) -> Collection | None:
        """None: it was changed between two pages."""
        first = self._get(name, None, known.etag if known else None)
        if first.status_code == HTTPStatus.NOT_MODIFIED and known:
            return known
        etag, page = first.headers.get("ETag"), self._page_of(name, first)
        items, problems, asked = list(page.items), list(page.problems), set[str]()
        while page.next is not None:
            if page.next in asked or len(asked) > _MOST_PAGES:
                raise CatalogAway(f"{self.path}/{name}", "has no last page: `next` leads back to one that was read")
            asked.add(page.next)
            answer = self._get(name, page.next, None)
            if answer.status_code == HTTPStatus.GONE or answer.headers.get("ETag") != etag:
                return None
            page = self._page_of(name, answer)
            items += page.items
            problems += page.problems
        return _kept(known, Collection(items=items, problems=problems, etag=etag))

    def _page_of(self, name: CollectionName, answer: httpx.Response) -> Page:
        try:
            return Page.model_validate_json(answer.content)
        except ValidationError as error:
            raise CatalogAway(f"{self.path}/{name}", "answers something that is no page of a catalog: is "
                              "OUTREACH_CATALOG the address of its API?") from error

    def _get(self, name: CollectionName, after: str | None, etag: str | None) -> httpx.Response:
        """A good answer, which is 200; 304 if an ETag was given; 410 if the page is of a state that is gone."""
        pause, why = FIRST_PAUSE, ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(random.uniform(pause / 2, pause))  # noqa: S311 - spreads load
                pause *= 2
            try:
                return self._once(name, after, etag)
            except _PassingError as error:
                why = str(error)
        raise CatalogAway(f"{self.path}/{name}", f"{why}; asked {ATTEMPTS} times")

    def _once(self, name: CollectionName, after: str | None, etag: str | None) -> httpx.Response:
        asked = {"limit": str(self._page)} | ({"after": after} if after is not None else {})
        also = HTTPStatus.NOT_MODIFIED if etag else HTTPStatus.GONE if after else HTTPStatus.OK
        try:
            headers = self._access.headers() | ({"If-None-Match": etag} if etag else {})
            with self._access.client.stream("GET", f"{self.url}/{name}", params=asked, headers=headers) as answer:
                _check(f"{self.path}/{name}", answer, also)
                body = self._body(answer)
        except NoTokenError as error:
            raise CatalogAway(f"{self.path}/{name}", str(error)) from error
        except httpx.TimeoutException as error:
            raise _PassingError(f"does not answer in time ({type(error).__name__})") from error
        except httpx.TransportError as error:
            raise _PassingError(f"cannot be reached ({type(error).__name__}: {error})") from error
        except httpx.HTTPError as error:
            raise CatalogAway(f"{self.path}/{name}", f"cannot be read ({type(error).__name__})") from error
        return httpx.Response(answer.status_code, headers={"ETag": answer.headers["ETag"]}
                              if "ETag" in answer.headers else {}, content=body)

    def _body(self, answer: httpx.Response) -> bytes:
        """The body, of which neither size nor time may be without bounds."""
        until, body = time.monotonic() + self._longest, bytearray()
        for part in answer.iter_bytes():
            body += part
            if time.monotonic() > until:
                raise httpx.ReadTimeout("the answer trickles")
            if len(body) > _LARGEST_ANSWER:
                raise httpx.DecodingError("the answer is too large")
        return bytes(body)


def _kept(known: Collection | None, found: Collection) -> Collection:
    """`known`, if a server without ETags gave the same again."""
    same = known is not None and (known.items, known.problems, known.etag) == (found.items, found.problems, found.etag)
    return known if known is not None and same else found


def _check(path: str, answer: httpx.Response, also: HTTPStatus) -> None:
    """Raises for what is neither a good answer nor `also`."""
    status = answer.status_code
    if status in (HTTPStatus.OK, also):
        return
    if status in _PASSING:
        raise _PassingError(f"answers {status}")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise CatalogAway(path, f"answers {status}: is OUTREACH_CATALOG_TOKEN set, and still valid?")
    if status == HTTPStatus.NOT_FOUND:
        raise CatalogAway(path, "answers 404: is OUTREACH_CATALOG the address of a catalog's API?")
    raise CatalogAway(path, f"answers {status}, which no catalog does")
