"""The file of API tokens: what it may hold, and when it is read again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from outreach_stream.gateway.door.tokens import (
    LOOK_EVERY,
    TOKEN,
    Token,
    TokenErrors,
    TokenFile,
    hashed,
    new_token,
    read_tokens,
    written,
)


class Time:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def later(self) -> None:
        """So much that files are looked at again."""
        self.now += LOOK_EVERY


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


@pytest.fixture
def keep(file: Path) -> Callable[..., str]:
    """Puts a new token into the file; returns it."""
    def kept(name: str = "shop", **fields: object) -> str:
        token = new_token()
        entry = Token(hash=hashed(token), **({"scopes": ["trigger"]} | fields))
        with file.open("a", encoding="utf-8") as opened:
            opened.write(written(name, entry))
        return token
    return kept


def problem(file: Path) -> str:
    with pytest.raises(TokenErrors) as raised:
        read_tokens(file)
    return str(raised.value)


def test_a_token_is_recognised_and_is_not_in_the_file(file: Path, keep: Callable[..., str]) -> None:
    """It has its form, no two are alike, and only its hash is written."""
    first, second = keep("shop"), keep("ops")

    assert first != second
    assert TOKEN.fullmatch(first)
    assert first.removeprefix("ort_") not in file.read_text(encoding="utf-8")


def test_the_holder_is_found_by_the_token(file: Path, keep: Callable[..., str], time: Time) -> None:
    """With name and scopes; whatever is no token of the file is nobody's, also a hash that stands in it."""
    shop, ops = keep("shop"), keep("ops", scopes=["read", "admin"])
    tokens = TokenFile(file, tick=time)

    assert [(found[0], found[1].scopes) for each in (shop, ops) if (found := tokens.holder(each))] == [
        ("shop", ["trigger"]), ("ops", ["read", "admin"])]
    for other in ("", "ort_", shop[:-1], shop + "0", shop.upper(), new_token(), hashed(shop), f"{shop}\n", "é" * 68):
        assert tokens.holder(other) is None


def test_a_token_expires_by_itself(file: Path, keep: Callable[..., str], time: Time) -> None:
    """At its time, to the second, without a change of the file."""
    token = keep(expires="1970-01-01T01:00:00Z")
    tokens = TokenFile(file, clock=time, tick=time)

    time.now = 3_599.0
    before = tokens.holder(token)
    time.now = 3_600.0

    assert before
    assert tokens.holder(token) is None


def test_a_changed_file_is_read_again(file: Path, keep: Callable[..., str], time: Time) -> None:
    """A token that is added works, one that is removed does not any more; an emptied file lets nobody in."""
    old = keep("old")
    tokens = TokenFile(file, tick=time)
    new = keep("new")
    soon = tokens.holder(new)
    time.later()
    after = tokens.holder(new)
    file.write_text("# Nobody.\n", encoding="utf-8")
    time.later()

    assert (soon, bool(after)) == (None, True)
    assert [tokens.holder(each) for each in (old, new)] == [None, None]


@pytest.mark.parametrize("change", ["scopes: [", None])
def test_a_broken_file_keeps_the_last_good_one(file: Path, keep: Callable[..., str], time: Time,
                                               change: str | None) -> None:
    """A change that cannot be read, or a file that is gone, is told once in the log; who was let in still is."""
    token = keep()
    tokens = TokenFile(file, tick=time)
    if change is None:
        file.unlink()
    else:
        file.write_text(change, encoding="utf-8")

    with capture_logs() as logs:
        for _ in range(3):
            time.later()
            assert tokens.holder(token)

    assert [each["event"] for each in logs] == ["tokens_unusable"]
    assert str(file) in logs[0]["problems"][0]


@pytest.mark.parametrize(("text", "says"), [
    ("shop: 5", "shop: must be a mapping"),
    ("shop: {hash: HASH}", "shop.scopes: is missing"),
    ("shop: {hash: HASH, scopes: [write]}", "shop.scopes[0]: "),
    ("shop: {hash: HASH, scopes: []}", "shop.scopes: "),
    ("shop: {hash: HASH, scopes: [read], scope: read}", "shop.scope: is not known here"),
    ("shop: {hash: HASH, scopes: [read], expires: soon}", "shop.expires: "),
    ("shop: {hash: sha256:12, scopes: [read]}", "shop.hash: must be `sha256:`"),
    ("a shop: {hash: HASH, scopes: [read]}", "a shop: "),
    ("shop: {hash: HASH, scopes: [read]}\nops: {hash: HASH, scopes: [read]}", "ops.hash: is that of another token"),
    ("shop: {hash: HASH, scopes: [read]}\nshop: {hash: HASH, scopes: [read]}", "given twice"),
    ("- shop", "must be a mapping"),
    ("shop: [", "not valid YAML"),
])
def test_what_is_wrong_is_named(file: Path, text: str, says: str) -> None:
    """File, field and what to write instead; at the start that is an error."""
    file.write_text(text.replace("HASH", hashed(new_token())), encoding="utf-8")

    assert f"{file}: " in problem(file)
    assert says in problem(file)
    with pytest.raises(TokenErrors):
        TokenFile(file)


def test_a_missing_file_is_an_error(file: Path) -> None:
    """A typo in the path lets nobody in, and everybody know."""
    assert f"{file}: cannot be read" in problem(file)


def test_a_token_in_place_of_its_hash_is_not_repeated(file: Path) -> None:
    """What was put into the wrong field may be the secret."""
    token = new_token()
    file.write_text(f"shop: {{hash: {token}, scopes: [read]}}", encoding="utf-8")

    assert token not in problem(file)
