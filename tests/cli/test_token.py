"""`outreach token`, and what `outreach gateway` makes of its file."""

import json
import re
import stat
import time
from pathlib import Path

import httpx
import pytest

from outreach_stream.cli.exits import Exit
from outreach_stream.gateway.door.tokens import TOKEN, TokenFile, hashed, read_tokens
from tests.cli.conftest import Outreach, running

NOBODY = "127.0.0.1:9"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


def test_a_token_is_printed_once_and_works(inside: Outreach, file: Path) -> None:
    """Alone on standard output, for scripts; the file has its hash, its scopes and its end, and nothing of it."""
    answer = inside("token", "create", "shop", "--scope", "trigger", "--scope", "read", "--expires", "90d",
                    OUTREACH_GATEWAY_TOKENS=str(file))

    token = answer.stdout.strip()
    assert answer.returncode == 0
    assert TOKEN.fullmatch(token)
    assert token not in answer.stderr + file.read_text(encoding="utf-8")
    found = TokenFile(file).holder(token)
    assert found
    assert (found[0], found[1].scopes) == ("shop", ["read", "trigger"])
    assert found[1].expires


def test_tokens_are_appended(inside: Outreach, file: Path) -> None:
    """What stands in the file stays, comments and missing line breaks included; a taken name is refused."""
    file.write_text("# Ours.\nops:\n  hash: " + hashed("x") + "\n  scopes: [admin]   # Ann", encoding="utf-8")
    before = file.read_text(encoding="utf-8")

    created = inside("token", "create", "shop", "--scope", "trigger", "--file", str(file))
    again = inside("token", "create", "shop", "--scope", "trigger", "--file", str(file))

    assert file.read_text(encoding="utf-8").startswith(before)
    assert read_tokens(file).keys() == {"ops", "shop"}
    assert (created.returncode, again.returncode) == (0, Exit.USAGE)
    assert "has a token shop already" in again.stderr
    assert again.stdout == ""


@pytest.mark.parametrize("text", ["{}\n", "ops: {hash: x}\n", "- ops\n"])
def test_a_file_that_would_be_spoilt_is_left_as_it_is(inside: Outreach, file: Path, text: str) -> None:
    """What is broken, or written in braces, is told; no token is shown that would not work."""
    file.write_text(text, encoding="utf-8")

    answer = inside("token", "create", "shop", "--scope", "trigger", "--file", str(file))

    assert answer.returncode == Exit.USAGE
    assert str(file) in answer.stderr
    assert answer.stdout == ""
    assert file.read_text(encoding="utf-8") == text


def test_without_a_file_the_entry_is_printed(inside: Outreach, file: Path) -> None:
    """To be pasted: the token on standard output, the entry beside it."""
    answer = inside("token", "create", "shop", "--scope", "trigger")

    file.write_text(answer.stderr.partition("\n\n")[2], encoding="utf-8")
    assert TokenFile(file).holder(answer.stdout.strip())


@pytest.mark.parametrize("arguments", [
    ("shop",), ("shop", "--scope", "write"), ("a shop", "--scope", "read"),
    ("shop", "--scope", "read", "--expires", "90"), ("shop", "--scope", "read", "--expires", "9999999999d"),
])
def test_wrong_usage_is_2(inside: Outreach, file: Path, arguments: tuple[str, ...]) -> None:
    """What cannot be is said before anything is written."""
    answer = inside("token", "create", *arguments, OUTREACH_GATEWAY_TOKENS=str(file))

    assert answer.returncode == Exit.USAGE
    assert answer.stdout == ""
    assert not file.exists()


def test_tokens_are_listed(inside: Outreach, file: Path) -> None:
    """Who holds which scopes until when; no hash, for nobody has a use for it."""
    inside("token", "create", "shop", "--scope", "trigger", "--file", str(file))
    file.write_text(file.read_text(encoding="utf-8") + f"old:\n  hash: {hashed('old')}\n  scopes: [read]\n"
                                                       "  expires: 2020-01-01\n", encoding="utf-8")

    shown = inside("token", "list", "--file", str(file))
    told = json.loads(inside("token", "list", "--json", "--file", str(file)).stdout)

    assert re.search(r"old +read +2020-01-01T00:00:00\+00:00 \(expired\)", shown.stdout)
    assert re.search(r"shop +trigger +never", shown.stdout)
    assert [(each["name"], each["scopes"], each["expired"]) for each in told] == [
        ("old", ["read"], True), ("shop", ["trigger"], False)]
    assert "sha256" not in shown.stdout + json.dumps(told)


@pytest.mark.parametrize("arguments", [("list",), ("list", "--file", "nothing.yaml")])
def test_no_file_to_list_is_2(inside: Outreach, arguments: tuple[str, ...]) -> None:
    """Neither a setting nor an option, or a file that is not there."""
    assert inside("token", *arguments).returncode == Exit.USAGE


def test_a_new_file_has_the_rights_that_new_files_have(inside: Outreach, file: Path) -> None:
    """A gateway of another user can read it: it holds no secret."""
    (file.parent / "other").touch()
    inside("token", "create", "shop", "--scope", "trigger", "--file", str(file))

    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE((file.parent / "other").stat().st_mode)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway.example.com"])
def test_a_gateway_without_tokens_listens_on_loopback_only(inside: Outreach, host: str) -> None:
    """Elsewhere it refuses to start, with both ways out."""
    answer = inside("gateway", "--host", host, OUTREACH_KAFKA_BOOTSTRAP=NOBODY)

    assert answer.returncode == Exit.USAGE
    assert "outreach token create" in answer.stderr
    assert "OUTREACH_GATEWAY_OPEN=true" in answer.stderr


def test_a_broken_file_of_tokens_ends_the_gateway(inside: Outreach, file: Path) -> None:
    """At the start it is an error that names file, field and problem."""
    file.write_text("shop: {hash: x, scopes: [read]}", encoding="utf-8")

    answer = inside("gateway", OUTREACH_KAFKA_BOOTSTRAP=NOBODY, OUTREACH_GATEWAY_TOKENS=str(file))

    assert answer.returncode == Exit.USAGE
    assert f"{file}: shop.hash: " in answer.stderr


def test_a_gateway_asks_for_the_tokens_of_its_file(outreach: Outreach, file: Path, tmp_path: Path) -> None:
    """On any address, from the moment a token is created; its log has no token."""
    settings = {"OUTREACH_KAFKA_BOOTSTRAP": NOBODY, "OUTREACH_GATEWAY_TOKENS": str(file), "OUTREACH_LOG_FORMAT": "json"}
    file.write_text("# Nobody yet.\n", encoding="utf-8")
    log = tmp_path / "gateway.log"
    with log.open("w") as written, running(tmp_path, "gateway", "--host", "0.0.0.0", "--port", "0", settings=settings,
                                           stderr=written) as process, httpx.Client() as client:
        while not (url := re.search(r"http://0\.0\.0\.0:(\d+)", log.read_text())):
            assert process.poll() is None
        me = f"http://127.0.0.1:{url[1]}/api/v1/me"
        bare = client.get(me)
        token = outreach("token", "create", "ops", "--scope", "read", **settings).stdout.strip()
        while (known := client.get(me, headers={"Authorization": f"Bearer {token}"})).status_code in {401, 429}:
            time.sleep(0.1)     # wrong tokens are limited, and it is one until the file is read again

    assert bare.status_code == 401
    assert known.json() == {"name": "ops", "scopes": ["read"]}
    assert "gateway_open" not in log.read_text()
    assert token not in log.read_text()
