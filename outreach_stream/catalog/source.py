"""Where the catalog is: a folder, or an API."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.snapshot import Catalog, CatalogProblem, Unread
from outreach_stream.settings import Settings


class Read(Protocol):
    """What could be read of a catalog, the problems of the rest, and where each object is."""

    @property
    def catalog(self) -> Catalog:
        """All that is right in itself."""

    @property
    def problems(self) -> list[CatalogProblem]:
        """All that is wrong; empty: the catalog can be used."""

    @property
    def file_of(self) -> Mapping[tuple[str, str], str]:
        """File or path of an object by ("workflow", id)."""

    @property
    def broken(self) -> Mapping[tuple[str, str], Unread]:
        """Those with problems of their own, in the same way."""


class CatalogSource(Protocol):
    """What holds a catalog, wherever it is."""

    def load(self) -> Catalog:
        """The catalog as it is now; raises `CatalogErrors` with all that is wrong. Blocks."""

    def read(self) -> Read:
        """The same for those who look on: as far as it can be read, with all problems. Blocks."""

    def current(self) -> Catalog:
        """The last good catalog, at once. The first call loads it: it blocks, and raises `CatalogErrors`."""


def catalog_at(settings: Settings) -> CatalogSource:
    """The catalog that the settings name. Reads nothing yet."""
    if isinstance(settings.catalog, Path):
        return FolderCatalog(settings.catalog)
    from outreach_stream.catalog.rest import RestCatalog  # noqa: PLC0415 - the HTTP client, only where it is used
    from outreach_stream.catalog.rest_client import CatalogApi  # noqa: PLC0415
    from outreach_stream.catalog.sighting import Sighting  # noqa: PLC0415

    return RestCatalog(CatalogApi(settings.catalog, settings.catalog_token), every=settings.catalog_refresh,
                       sighting=Sighting(settings.state_dir, settings.catalog))
