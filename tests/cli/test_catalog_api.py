"""`outreach catalog serve`, and the commands on a catalog behind an API."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from outreach_stream.catalog.source import catalog_at
from outreach_stream.settings import Settings
from outreach_stream.wiring import log_delivery
from tests.cli.conftest import CATALOG, Outreach, running


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server of the example, with a token."""
    with running(tmp_path, "catalog", "serve", CATALOG, "--port", "0", "--token", "env:OURS",
                 settings={"OURS": "right"}, stdout=subprocess.PIPE) as server:
        assert server.stdout
        said = re.search(r"OUTREACH_CATALOG=(http://127\.0\.0\.1:\d+)\n", server.stdout.readline())
        assert said
        yield said[1]


def test_a_catalog_is_served_and_read(inside: Outreach, url: str, tmp_path: Path) -> None:
    """`check` reads it as a folder, and says where from; when it is gone, that, and how old what workers use is."""
    with_token = {"OUTREACH_CATALOG": url, "OUTREACH_CATALOG_TOKEN": "env:OURS", "OURS": "right"}
    folder, read = (inside("catalog", "check", "--json", **settings)
                    for settings in ({"OUTREACH_CATALOG": CATALOG}, with_token))
    assert read.returncode == 0, read.stdout
    told = json.loads(read.stdout)
    assert told.keys() == json.loads(folder.stdout).keys()
    assert [each["id"] for each in told["workflows"]] == ["1"]
    assert f"Read from {url} just now." in inside("catalog", "check", **with_token).stdout
    assert inside("schedule", "list", **with_token).returncode == 0

    refused = inside("catalog", "check", url, "--json")
    assert refused.returncode == 1
    assert "answers 401: is OUTREACH_CATALOG_TOKEN set" in json.loads(refused.stdout)["problems"][0]["message"]


def test_a_catalog_that_is_away_is_said(inside: Outreach) -> None:
    """By `check`, and by every command that needs it, before anything is begun."""
    nowhere = "http://127.0.0.1:1/v1"
    answer = inside("worker", "sender", OUTREACH_CATALOG=nowhere, OUTREACH_KAFKA_BOOTSTRAP="127.0.0.1:1")

    assert answer.returncode == 2
    assert "The catalog cannot be used:\n  /v1/workflows: cannot be reached" in answer.stderr
    assert nowhere in answer.stderr


@pytest.mark.parametrize(("place", "says"), [
    ("http://catalog.example.com", "must be https://"), ("ftp://catalog.example.com", "must be a folder, or"),
    ("https://", "must be a folder, or an address"), ("https://u:p@catalog.example.com", "must not hold a password"),
    ("https://catalog.example.com/?x=1", "must be a folder, or an address"),
    ("http://127.0.0.1.example.com", "must be https://"), ("https://catalog.example.com:99999", "must be a folder"),
])
def test_an_address_that_is_refused(inside: Outreach, place: str, says: str) -> None:
    """As a setting and as an argument, in words."""
    for answer in (inside("schedule", "list", OUTREACH_CATALOG=place), inside("catalog", "check", place)):
        assert answer.returncode == 2
        assert says in answer.stderr


@pytest.mark.parametrize(("arguments", "says"), [
    (("--host", "0.0.0.0", CATALOG), "give a --token"), (("nowhere",), "nowhere is no folder"),
    (("--token", "hunter2", CATALOG), "must not be a plain secret"),
    (("--token", "env:NOT_SET", CATALOG), "is not set"),
])
def test_what_is_not_served(inside: Outreach, arguments: tuple[str, ...], says: str) -> None:
    """Nothing that others could read without a token, and no secret on the command line."""
    answer = inside("catalog", "serve", "--port", "0", *arguments)

    assert answer.returncode == 2
    assert says in answer.stderr
    assert "hunter2" not in answer.stderr


def test_where_the_catalog_is() -> None:
    """One setting decides; only an API is told of finished logs."""
    settings = Settings.model_validate({"catalog": "https://catalog.example.com/v1/", "catalog_token": "env:T"})

    assert settings.catalog == "https://catalog.example.com/v1"
    assert type(catalog_at(settings)).__name__ == "RestCatalog"
    assert Settings.model_validate({"catalog": "some/folder"}).catalog == Path("some/folder")
    assert log_delivery(Settings(catalog=Path("some/folder"))) is None
    for loopback in ("http://localhost:1", "http://[::1]:8081", "http://127.9.9.9"):
        assert Settings.model_validate({"catalog": loopback}).catalog == loopback
