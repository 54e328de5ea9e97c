"""Logs in a bucket: Amazon S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage."""

import os
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Self

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from outreach_stream.confidential import hide, keep
from outreach_stream.runs.log_store import Draft, LogReader, LogStoreError
from outreach_stream.settings import BUCKETS, ENDPOINTS, endpoint_is_safe

if TYPE_CHECKING:
    from obstore import GetOptions

PART = 8 * 1024 * 1024
"""Bytes of a part of an upload; what is smaller goes up in one request."""

PARTS_AT_A_TIME = 4
"""Parts on their way at the same time: with `PART`, the memory that an upload takes."""

CLIENT = {"connect_timeout": "5s", "timeout": "120s"}
"""Of one request, which brings a part at most."""

RETRIES = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}
"""Few and soon told: whoever writes a log tries again by itself, and says so."""

SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY",
           "AZURE_STORAGE_MASTER_KEY", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET",
           "AZURE_STORAGE_CLIENT_SECRET", "AZURE_STORAGE_TOKEN", "GOOGLE_BEARER_TOKEN", "GOOGLE_SERVICE_ACCOUNT_KEY")
"""Variables whose values errors must not repeat."""


_SAID = re.compile(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>")
"""How S3, Google's XML API and Azure tell what is wrong."""


class BucketStore:
    """Objects below a URL such as `s3://bucket/prefix`. Credentials come from the provider's usual environment."""

    def __init__(self, url: str) -> None:
        """Raises `LogStoreError` if the environment lacks something that can be missed without asking anybody."""
        self._url = url.rstrip("/")
        if self._url.partition("://")[0] not in BUCKETS:    # a client for any other place would be made, too
            raise LogStoreError(f"{self._url}: is the URL of no bucket")
        for name in SECRETS:
            keep(os.environ.get(name, ""))
        with _told(self._url):
            self._store: ObjectStore = from_url(
                self._url, client_options={**CLIENT, "allow_http": plain_http(os.environ)},  # type: ignore[call-overload]
                retry_config=RETRIES)

    def place(self, name: str) -> str:
        """The object's URL."""
        return f"{self._url}/{name}"

    @asynccontextmanager
    async def draft(self, name: str) -> AsyncGenerator[Draft]:
        """Written to a file without a name, then uploaded in parts: nobody sees an object before its last byte.

        A process that is killed leaves nothing on its disk, and perhaps parts in the bucket, which its lifecycle rules
        should remove.
        """
        with TemporaryFile(prefix="outreach-log-") as file:
            yield file
            file.seek(0)
            with _told(self.place(name)):
                await obstore.put_async(self._store, name, file, attributes={"Content-Type": "application/json"},
                                        chunk_size=PART, max_concurrency=PARTS_AT_A_TIME)

    def put(self, name: str, data: bytes) -> None:
        """One request."""
        with _told(self.place(name)):
            obstore.put(self._store, name, data, use_multipart=False)

    def names(self, under: str) -> list[str]:
        """A request for each thousand."""
        with _told(self.place(under)):
            return sorted(meta["path"] for page in obstore.list(self._store, prefix=under) for meta in page)

    def open(self, name: str) -> LogReader:
        """One request for its size; each read is another one."""
        return ObjectReader(self._store, name, self.place(name))

    def delete(self, name: str) -> None:
        """One request."""
        with _told(self.place(name)), suppress(FileNotFoundError):
            obstore.delete(self._store, name)


class ObjectReader:
    """An object, as long as it is the one that was opened."""

    def __init__(self, store: ObjectStore, name: str, place: str) -> None:
        self._store, self._name, self._place = store, name, place
        with _told(place):
            meta = obstore.head(store, name)
        self.size, self._tag = meta["size"], meta["e_tag"]

    def read(self, start: int, length: int) -> bytes:
        """One request for a range; whoever reads in small steps should ask for more at a time."""
        end = min(start + length, self.size)
        if start >= end:
            return b""
        wanted: GetOptions = {"range": (start, end)}
        if self._tag:
            wanted["if_match"] = self._tag
        with _told(self._place):
            return bytes(obstore.get(self._store, self._name, options=wanted).bytes())

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def plain_http(environment: Mapping[str, str]) -> bool:
    """Whether the store of one's own that is named there lies on this machine, so that http:// is no danger."""
    endpoint = next((environment[name] for name in ENDPOINTS if environment.get(name)), "")
    return endpoint.startswith("http://") and endpoint_is_safe(endpoint)


@contextmanager
def _told(place: str) -> Iterator[None]:
    """What the client raises becomes an OSError of one line."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{place}: {_line(error)}") from None
    except (BaseError, ValueError) as error:
        raise LogStoreError(f"{place}: {_line(error)}") from None


def _line(error: Exception) -> str:
    """The store's own words, else the client's: without its debug output, and what follows a URL's question mark."""
    words = " ".join(str(error).split("\n\nDebug source", maxsplit=1)[0].split())
    if said := _SAID.search(words):
        words = f"{said[1]}: {said[2]}"
    return hide(" ".join(word.split("?", maxsplit=1)[0] if "://" in word else word for word in words.split(" ")))[:400]
