"""Logs in a folder and in a bucket: one contract, and what only a bucket can do to us."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outreach_stream.runs.log_bucket import PART, PARTS_AT_A_TIME, BucketStore, plain_http
from outreach_stream.runs.log_store import LogStore, LogStoreError, log_store, open_log
from outreach_stream.settings import Settings
from tests.buckets import SECRET, bucket_server

NAME = "2026-11-24/3f2b6c1e.json"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with bucket_server() as url:
        yield url


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path, server) -> LogStore:
    """One of each kind, empty."""
    return log_store(tmp_path if request.param == "folder" else f"s3://logs/{tmp_path.name}/")


async def write(store: LogStore, *pieces: bytes) -> None:
    async with store.draft(NAME) as draft:
        for piece in pieces:
            draft.write(piece)


async def write_half(store: LogStore) -> None:
    async with store.draft(NAME) as draft:
        draft.write(b"half of")
        raise OSError(errno.ENOSPC, "disk full")


async def test_a_log_is_there_whole_and_the_next_takes_its_place(store: LogStore) -> None:
    """As often as it is written again, after a crash: one file of one name, and never half of one."""
    await write(store, b'{"a": ', b"1}")
    with pytest.raises(OSError, match="full"):
        await write_half(store)
    with open_log(store.place(NAME)) as log:
        assert log.read(0, log.size) == b'{"a": 1}'
    await write(store, b"anew")

    with open_log(store.place(NAME)) as log:
        assert (log.size, log.read(0, 100)) == (4, b"anew")
    assert store.names("2026-11-24") == [NAME]


async def test_a_log_is_read_by_ranges(store: LogStore) -> None:
    """Any part of it, as much as there is of that."""
    await write(store, b"0123456789")
    with store.open(NAME) as log:
        read = [log.read(0, 3), log.read(8, 100), log.read(4, 1), log.read(10, 5), log.read(99, 5), log.read(2, 0)]

    assert read == [b"012", b"89", b"4", b"", b"", b""]


async def test_small_files_come_and_go(store: LogStore) -> None:
    """Notes: listed by their folder, and deleted once or twice."""
    for name in ("b", "a"):
        store.put(f".undelivered/{name}", name.encode())
    await write(store, b"{}")
    assert store.names(".undelivered") == [".undelivered/a", ".undelivered/b"]
    for _ in range(2):
        store.delete(".undelivered/a")

    assert store.names(".undelivered") == [".undelivered/b"]
    assert store.names("nothing") == []
    with pytest.raises(FileNotFoundError, match=r"undelivered/a"):
        store.open(".undelivered/a")


LARGE = f"""
import asyncio, resource, sys
from outreach_stream.runs.log_store import log_store
async def main():
    for size in (1, {10 * PART + 3}):       # the first has everything imported and connected
        async with log_store(sys.argv[1]).draft("{NAME}") as draft:
            for at in range(0, size, 65536):
                draft.write(b"x" * min(65536, size - at))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
asyncio.run(main())
"""


def test_a_large_log_goes_up_in_parts_and_in_little_memory(server, tmp_path) -> None:
    """Ten parts and three bytes: never are more of them here than are on their way."""
    store = log_store(f"s3://logs/{tmp_path.name}")
    done = subprocess.run([sys.executable, "-c", LARGE, store.place("")], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())

    assert after - before < (PARTS_AT_A_TIME + 2) * PART
    with store.open(NAME) as log:
        assert log.size == 10 * PART + 3
        assert log.read(log.size - 3, 5) == b"xxx"


async def test_a_log_that_was_written_anew_is_not_read_as_one(server, tmp_path) -> None:
    """Half of the old and half of the new would be neither: whoever reads opens it again."""
    store = log_store(f"s3://logs/{tmp_path.name}")
    await write(store, b"old " * 100)
    with store.open(NAME) as log:
        assert log.read(0, 4) == b"old "
        await write(store, b"new " * 100)
        with pytest.raises(LogStoreError, match=r"(?i)precondition"):
            log.read(4, 4)


async def test_a_bucket_that_is_not_there_says_so_in_one_line(server) -> None:
    """With its URL, and without what its provider said it with."""
    with pytest.raises(OSError, match=r"^s3://elsewhere/x/2026-11-24/3f2b6c1e.json: .*NoSuchBucket") as refused:
        await write(BucketStore("s3://elsewhere/x"), b"{}")

    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value)


async def test_nobody_at_the_address_is_told_soon(monkeypatch) -> None:
    """After a few tries, so that the next one and the log of this one come from whoever writes."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(LogStoreError, match="s3://logs/2026"):
        await write(BucketStore("s3://logs"), b"{}")


def test_what_is_no_place_for_logs_is_refused_at_the_start(monkeypatch) -> None:
    """A web address, a bucket without a name, and a store of one's own that would be spoken to in clear."""
    assert Settings().output == Path("output")
    assert Settings(output="s3://logs/a/").output == "s3://logs/a"
    for wrong in ("https://example.com/logs", "s3://", "s3:///", "s3://logs?secret=1", "file:///logs"):
        with pytest.raises(ValueError, match=r"s3://bucket/prefix"):
            Settings(output=wrong)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio.example.com:9000")
    with pytest.raises(ValueError, match="AWS_ENDPOINT_URL must be https://"):
        Settings(output="s3://logs")


def test_a_place_elsewhere_is_not_read() -> None:
    """Whatever a status says, nothing but files and buckets is asked for."""
    for place in ("http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "memory:///x"):
        with pytest.raises(LogStoreError, match="is the URL of no bucket"):
            open_log(place)


@pytest.mark.parametrize(("environment", "plain"), [
    ({}, False), ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"}, True), ({"AWS_ENDPOINT_URL": "https://x"}, False),
    ({"AWS_ENDPOINT_URL": "http://minio:9000", "AWS_ALLOW_HTTP": "true"}, False),
    ({"AWS_ENDPOINT_URL_S3": "https://x", "AWS_ENDPOINT_URL": "http://localhost:9000"}, False)])
def test_only_this_machine_is_spoken_to_in_clear(environment, plain) -> None:
    """Whatever else the provider's own variables allow."""
    assert plain_http(environment) is plain
