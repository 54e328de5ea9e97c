"""What a catalog's API says, as both sides of it need it: names of collections, and the shape of a page."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue

CollectionName = Literal["workflows", "templates", "engines", "schedules"]
COLLECTIONS: tuple[CollectionName, ...] = get_args(CollectionName)

LARGEST_PAGE = 100
"""Objects of a page that a reader asks for: with their files, templates are large."""


class ToldProblem(BaseModel):
    """An object that the catalog has and cannot give, and why: so that a reader does not take it for removed."""

    model_config = ConfigDict(frozen=True)

    id: str
    field: str = ""
    """Path of the field, `recipients.query`; empty: the object as a whole."""
    message: str


class Page(BaseModel):
    """A part of a collection, in an order that stays. Its ETag is that of the whole collection, on every page."""

    model_config = ConfigDict(frozen=True)

    items: Annotated[list[dict[str, JsonValue]], Field(description="As in a catalog's files")]
    problems: list[ToldProblem] = Field(default=[], description="What the collection has and cannot give")
    next: str | None = Field(default=None, description="What to ask for as `after`; null: this is the last page")


class Collection(BaseModel):
    """All pages of a collection, as they stood at one moment."""

    model_config = ConfigDict(frozen=True)

    items: list[dict[str, Any]]
    problems: list[ToldProblem]
    etag: str | None = Field(default=None, exclude=True)
    """None: the server gives none, and the collection is read anew each time."""
