"""`/`: the dashboard, a page of plain files.

They are served as they lie in the package: nothing is built, and nothing is fetched from elsewhere. They are for
anybody; what the page shows it asks the API for, with the reader's token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response

FOLDER = Path(__file__).parent / "page"
"""Where the files are; all of it is public."""

TYPES = {".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
          "base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
"""Content-Security-Policy: no script and no style but our files, no other origin, in nobody's frame."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

ASKED = "no-cache"
"""Kept, and asked about with its ETag before each use."""

KEPT = "public, max-age=31536000, immutable"
"""Of what lies under its version: its content never changes, and nobody asks again."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page."""

    content: bytes
    media_type: str

    @property
    def etag(self) -> str:
        """A name of the content."""
        return f'"{sha256(self.content).hexdigest()[:32]}"'


@dataclass(frozen=True, slots=True)
class Page:
    """All files by their names: what is not among them is not served, whatever is asked for."""

    version: str
    """Of all of them: they import one another, so that old and new ones must never be mixed."""
    files: Mapping[str, Asset]


@cache
def page() -> Page:
    """The page as it lies in the package, read once; its HTML names the version's files. Blocks."""
    files = {file.name: file.read_bytes() for file in sorted(FOLDER.iterdir()) if file.suffix in TYPES}
    version = sha256(b"".join(name.encode() + content for name, content in files.items())).hexdigest()[:16]
    files["index.html"] = files["index.html"].replace(b'"assets/', f'"assets/{version}/'.encode())
    return Page(version, {name: Asset(content, TYPES[Path(name).suffix]) for name, content in files.items()})


def answer(name: str, *, known: str | None, keep: bool) -> Response:
    """The file, or 304 if the browser has it: `known` is its If-None-Match. Raises a 404."""
    asset = page().files.get(name)
    if asset is None:
        raise HTTPException(404, "The page has no such file.")
    headers = {**HEADERS, "ETag": asset.etag, "Cache-Control": KEPT if keep else ASKED}
    if known and asset.etag in (each.strip().removeprefix("W/") for each in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)


IfNoneMatch = Annotated[str | None, Header()]


@router.api_route("/", methods=["GET", "HEAD"])
def index(if_none_match: IfNoneMatch = None) -> Response:
    """The dashboard."""
    return answer("index.html", known=if_none_match, keep=False)


@router.api_route("/assets/{version}/{name}", methods=["GET", "HEAD"])
def asset(version: str, name: str, if_none_match: IfNoneMatch = None) -> Response:
    """A style, a script or a picture of the dashboard.

    Of another version than ours, while a new one is rolled out: ours, which must not be kept under that name.
    """
    return answer(name, known=if_none_match, keep=version == page().version)
