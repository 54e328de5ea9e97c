"""A catalog's API in front of a folder: the contract, in a form that runs. For demos, tests and small installations."""

import hmac
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import JsonValue

from outreach_stream.catalog.contract import COLLECTIONS, LARGEST_PAGE, CollectionName, Page
from outreach_stream.catalog.served import ServedFolder, Shelf
from outreach_stream.runs.log_file import WholeFile

LARGEST_LOG = 2 * 1024**3
"""Bytes of a run's log that are taken: a million recipients are a tenth of it."""

_DESCRIPTION = """What a catalog's server offers to outreach-stream; docs/catalog-api.md says it in words.

Objects are what a catalog's files hold (docs/catalog.md has every field), with the bodies and files of templates in
them, and secrets only by reference: `env:NAME`, `file:PATH`."""

_Run = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="The run's id")]


def build(folder: FilePath, *, token: str | None = None, largest_page: int = LARGEST_PAGE,
          logs: FilePath | None = None) -> FastAPI:
    """The API of the catalog in `folder`. Without a token nobody is asked for one; logs are taken if there is a place.

    The contract has everything, whatever is asked for here.
    """
    api = FastAPI(title="A catalog of outreach-stream", version="1", description=_DESCRIPTION,
                  docs_url=None, redoc_url=None)
    bearer = HTTPBearer(auto_error=False, description="If the server wants one: OUTREACH_CATALOG_TOKEN")

    def allowed(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        if token is not None and not (given and hmac.compare_digest(given.credentials.encode(), token.encode())):
            raise HTTPException(401, "A bearer token is needed.", {"WWW-Authenticate": "Bearer"})

    router = APIRouter(dependencies=[Depends(allowed)], responses={
        401: {"description": "No token, or a wrong one"}, 503: {"description": "Not now"}})
    served = ServedFolder(folder)
    for name in COLLECTIONS:
        _offer(router, served, name, largest_page)
    router.post("/logs/{run_id}", status_code=204, tags=["logs"], openapi_extra=_LOG_BODY, responses={
        413: {"description": "Too large"}, 422: {"description": "No JSON object"},
        501: {"description": "This server keeps no logs"}})(_taker(logs))
    api.include_router(router)
    return api


def _offer(router: APIRouter, served: ServedFolder, name: CollectionName, largest_page: int) -> None:
    kind = name.removesuffix("s")

    def collection(
        limit: Annotated[int, Query(ge=1, le=1_000, description="Objects of a page at most; it may have fewer")] = 100,
        after: Annotated[str | None, Query(description="`next` of the page before")] = None,
        if_none_match: Annotated[str | None, Header(description="ETag of what is known")] = None,
    ) -> Response:
        shelf = _shelf(served, name)
        if after is None and if_none_match and shelf.etag in (each.strip() for each in if_none_match.split(",")):
            return Response(status_code=304, headers={"ETag": shelf.etag})
        page = shelf.page(after, min(limit, largest_page))
        if page is None:
            raise HTTPException(410, "The collection was changed: begin with its first page.")
        return Response(page.model_dump_json(), media_type="application/json", headers={"ETag": shelf.etag})

    def one(object_id: Annotated[str, Path(description="Its id")]) -> dict[str, Any]:
        found = [item for item in _shelf(served, name).items if str(item.get("id")) == object_id]
        if not found:
            raise HTTPException(404, f"There is no {kind} of this id.")
        return found[0]

    tag = {"ETag": {"description": "Of the whole collection: the same on each page", "schema": {"type": "string"}}}
    router.get(f"/{name}", name=name, tags=[name], response_model=Page, summary=f"A page of all {name}", responses={
        200: {"headers": tag}, 304: {"description": "It is what the ETag names"},
        410: {"description": "`after` is of a state that is gone"}})(collection)
    router.get(f"/{name}/{{object_id}}", name=kind, tags=[name], response_model=dict[str, JsonValue],
               summary=f"One {kind}", responses={404: {"description": "There is none"}})(one)


def _shelf(served: ServedFolder, name: CollectionName) -> Shelf:
    try:
        return served.shelf(name)
    except FileNotFoundError as error:
        raise HTTPException(503, "The catalog's folder is not there.") from error


_LOG_BODY = {"requestBody": {"required": True, "content": {"application/json": {
    "schema": {"type": "object", "description": "As docs/log.schema.json has it"}}}}}


def _taker(folder: FilePath | None) -> Callable[..., Any]:
    async def log(run_id: _Run, request: Request) -> Response:
        """Take the log of a run that has ended. It may come again: the last one counts."""
        if folder is None:
            raise HTTPException(501, "This server keeps no logs.")
        file = await run_in_threadpool(WholeFile(folder / f"{run_id}.json").__enter__)
        size, begins = 0, b""
        try:
            async for part in request.stream():
                size, begins = size + len(part), begins or part.lstrip()[:1]
                _acceptable(size, begins)
                await run_in_threadpool(file.write, part)
            _acceptable(size, begins or b"?")
        except BaseException as error:
            await run_in_threadpool(file.__exit__, type(error), error, None)
            raise
        await run_in_threadpool(file.__exit__, None, None, None)
        return Response(status_code=204)
    return log


def _acceptable(size: int, begins: bytes) -> None:
    if size > LARGEST_LOG:
        raise HTTPException(413, f"A log has {LARGEST_LOG:,} bytes at most.")
    if begins not in (b"", b"{"):
        raise HTTPException(422, "A log is a JSON object.")
