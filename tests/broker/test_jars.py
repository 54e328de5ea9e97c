"""Kafka's jars: what is locked is what is used, and the network is touched once. jgo is real, the repository ours."""

import hashlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from jgo.maven import _core as jgo_core

from outreach_stream.broker import jars
from outreach_stream.broker.errors import NoBrokerError
from outreach_stream.broker.jars import Jar, ensure_jars, jars_cached, locked_jars

BODY = b"a jar"
LOCKED = [Jar(f"org.example:part{n}:1.0", hashlib.sha256(BODY).hexdigest(), len(BODY)) for n in range(3)]


class Repository(ThreadingHTTPServer):
    """A Maven repository on loopback that has every jar, all with the same body, and notes what was asked for."""

    body = BODY

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []


class Answer(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        if self.path.endswith(".jar"):
            self.server.asked.append(self.path.rpartition("/")[2])
        self.send_response(200 if self.path.endswith(".jar") else 404)
        self.end_headers()
        if self.path.endswith(".jar"):
            self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Requests are noted, not printed."""


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """The repository in place of the public one, and a lock of three small jars."""
    monkeypatch.setattr(jars, "locked_jars", lambda: LOCKED)
    with Repository() as server:
        monkeypatch.setitem(jgo_core.DEFAULT_REMOTE_REPOS, "central", f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield server
        server.shutdown()


def silent(_here: int, _total: int) -> None:
    """Reports to nobody."""


def test_the_lock_names_kafka_and_a_log_writer_with_their_sums() -> None:
    """Every line is a coordinate, a SHA-256 and a size; Kafka's version is the documented one."""
    coordinates = {jar.coordinate for jar in locked_jars()}

    assert {"org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36"} <= coordinates
    assert len(coordinates) == 46
    assert all(len(bytes.fromhex(jar.sha256)) == 32 and jar.size > 0 for jar in locked_jars())


def test_jars_are_downloaded_once(repository: Repository, tmp_path: Path) -> None:
    """The first call brings every jar and says how far it is; the second finds them and asks nobody."""
    reports: list[tuple[int, int]] = []

    first = ensure_jars(tmp_path, lambda here, total: reports.append((here, total)))
    second = ensure_jars(tmp_path, lambda here, total: reports.append((here, total)))

    assert [path.read_bytes() for path in first] == [BODY] * 3
    assert second == first
    assert repository.asked == ["part0-1.0.jar", "part1-1.0.jar", "part2-1.0.jar"]
    assert reports == [(0, 15), (5, 15), (10, 15), (15, 15)]
    assert jars_cached(tmp_path)


def test_cached_jars_need_neither_network_nor_jgo(repository: Repository, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """With the jars in the cache, jgo isn't even imported."""
    ensure_jars(tmp_path, silent)
    for name in ("jgo", "jgo.maven"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it raises

    assert len(ensure_jars(tmp_path, silent)) == 3


@pytest.mark.parametrize("damage", [b"a j", b"a bad", b""])
def test_a_damaged_jar_is_fetched_again(repository: Repository, tmp_path: Path, damage: bytes) -> None:
    """A half-written or altered jar is noticed and replaced, and only that one."""
    path = ensure_jars(tmp_path, silent)[1]
    path.write_bytes(damage)
    repository.asked.clear()

    ensure_jars(tmp_path, silent)

    assert path.read_bytes() == BODY
    assert repository.asked == ["part1-1.0.jar"]


def test_a_jar_other_than_the_locked_one_is_refused(repository: Repository, tmp_path: Path) -> None:
    """What the repository serves must have the locked sum; if not, it isn't kept."""
    repository.body = b"a bad"

    with pytest.raises(NoBrokerError, match="SHA-256"):
        ensure_jars(tmp_path, silent)

    assert not list(tmp_path.rglob("*.jar"))


def test_starters_at_the_same_time_download_once(repository: Repository, tmp_path: Path) -> None:
    """Four starters on an empty cache end with whole jars, each fetched by one of them only."""
    with ThreadPoolExecutor(4) as starters:
        paths = list(starters.map(lambda _: ensure_jars(tmp_path, silent), range(4)))

    assert all(path.read_bytes() == BODY for some in paths for path in some)
    assert sorted(repository.asked) == ["part0-1.0.jar", "part1-1.0.jar", "part2-1.0.jar"]


def test_without_network_the_error_says_what_helps(repository: Repository, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither jars nor network: one error that names the jar and the ways out."""
    monkeypatch.setitem(jgo_core.DEFAULT_REMOTE_REPOS, "central", "http://127.0.0.1:1")

    with pytest.raises(NoBrokerError, match=r"(?s)part0.*could not be downloaded.*OUTREACH_KAFKA_BOOTSTRAP"):
        ensure_jars(tmp_path, silent)


def test_a_cache_that_cannot_be_written_is_named(repository: Repository, tmp_path: Path) -> None:
    """The error names the folder and the variable that moves it."""
    (tmp_path / "file").touch()

    with pytest.raises(NoBrokerError, match=r"(?s)file/cache.*OUTREACH_CACHE_DIR"):
        ensure_jars(tmp_path / "file" / "cache", silent)
