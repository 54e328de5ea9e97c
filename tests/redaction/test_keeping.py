"""What is known of secrets: read by many threads, renewed for ever, short ones in long texts."""

import sys
import threading

import pytest

from outreach_stream import confidential
from outreach_stream.confidential import HIDDEN, hide, keep
from outreach_stream.values import SecretRef


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    for name, empty in (("_forms", {}), ("_words", ()), ("_heads", ())):
        monkeypatch.setattr(confidential, name, empty)


def test_connections_read_their_secrets_at_once():
    """Each in a thread of its own: none fails for the others, and the last ones are known."""
    failed, ready = [], threading.Barrier(6)

    def reading(reader: int) -> None:
        ready.wait()
        try:
            for turn in range(100):
                keep(f"token-of-{reader}-in-turn-{turn:03}")
        except Exception as error:  # noqa: BLE001 - it is what the test looks for
            failed.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        readers = [threading.Thread(target=reading, args=(reader,)) for reader in range(6)]
        for thread in readers:
            thread.start()
        for thread in readers:
            thread.join()
    finally:
        sys.setswitchinterval(before)

    assert failed == []
    assert len(confidential._forms) == confidential._KEPT


def test_a_key_that_is_read_again_and_again_outlives_the_tokens():
    """What each connection reads is in use, however long ago it was read first."""
    for renewed in range(10 * confidential._KEPT):
        keep("the-key-of-the-catalog")
        keep(f"token-{renewed:030}")

    assert hide("the-key-of-the-catalog") == HIDDEN


def test_a_short_secret_may_stand_in_a_text_thousands_of_times():
    """A provider's page for people, and a password that is a word."""
    keep("demo")

    assert hide("demo demos " * 5_000) == f"{HIDDEN} demos " * 5_000


def test_a_secret_file_that_is_being_written_is_read_once_more(tmp_path):
    """`echo new > file` empties it first: whoever reads in between must not stop the engine for a missing secret."""
    file = tmp_path / "key"
    file.write_text("")
    threading.Timer(0.03, lambda: file.write_text("rotated-key\n")).start()
    assert SecretRef(f"file:{file}").resolve() == "rotated-key"
