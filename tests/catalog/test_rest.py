"""A catalog behind an API, when the API is not as it should be."""

import socket
import time

import pytest
from structlog.testing import capture_logs

from outreach_stream.catalog.rest import in_words
from outreach_stream.catalog.sighting import Sighting
from outreach_stream.catalog.snapshot import CatalogErrors
from outreach_stream.values import SecretRef
from tests.catalog.rest_stage import stage
from tests.contract.catalog_worlds import GOOD

NEW = {"engines/relay.yaml": "{kind: smtp, host: relay.example.com, rate: 17}"}


@pytest.fixture
def there(tmp_path):
    """A catalog of two objects of each kind but templates, in pages of two."""
    with stage(tmp_path / "catalog", largest_page=2) as there:
        yield there


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def message_of(catalog) -> str:
    with pytest.raises(CatalogErrors) as errors:
        catalog.load()
    [problem] = errors.value.problems
    return str(problem)


def test_what_is_unchanged_is_not_sent_again(there) -> None:
    """Each collection is asked for with its ETag: four answers of 304, and of one that was changed all pages."""
    catalog = there.catalog()
    catalog.current()
    there.between.seen.clear()
    catalog.look()
    assert there.between.statuses == {304: 4}

    there.world.write(NEW | {"engines/third.yaml": "kind: memory"})
    there.between.seen.clear()
    catalog.look()
    assert there.between.statuses == {304: 3, 200: 2}
    assert catalog.current().engine("relay").rate == 17


def test_pages_of_two_are_read_to_the_end(there) -> None:
    """Every object, in as many requests as it takes."""
    there.world.write({f"engines/e{i}.yaml": "kind: memory" for i in range(5)})

    assert len(there.catalog().current().engines) == 7
    assert len([path for path, _ in there.between.seen if path.startswith("/engines")]) == 4


def test_a_change_between_two_pages_is_not_torn(there) -> None:
    """What was read begins anew: never one half of before, and one of after."""
    there.world.write({f"engines/e{i}.yaml": "{kind: memory, rate: 1}" for i in range(4)})
    edits = [{"engines/e3.yaml": ""}, {f"engines/e{i}.yaml": "{kind: memory, rate: 22}" for i in range(4)}]

    def change(path: str) -> None:
        if path.startswith("/engines?") and edits:
            there.world.write(edits.pop())

    there.between.before = change
    engines = there.catalog().current().engines

    assert edits == []
    assert {engines[f"e{i}"].rate for i in range(3)} == {22}
    assert "e3" not in engines


def test_a_server_that_is_gone(tmp_path) -> None:
    """What was read last stays in use, and the log says for how long already, once; and when it is over."""
    now = [100.0]
    with stage(tmp_path / "catalog") as there:
        catalog = there.catalog(clock=lambda: now[0])
        first = catalog.current()
        there.between.answers = [(503, b"")] * 9
        now[0] = 130.0
        with capture_logs() as said:
            catalog.look()
            now[0] = 140.0
            catalog.look()
        assert catalog.current() is first
        assert [(each["event"], each["age"]) for each in said] == [("catalog_away", 30.0)]
        assert "/workflows: answers 503; asked 3 times" in said[0]["why"]

        now[0] = 195.0
        with capture_logs() as said:
            catalog.look()      # the last three
            catalog.look()
        assert [(each["event"], each["age"]) for each in said] == [("catalog_away", 95.0), ("catalog_back", 95.0)]
        assert catalog.age == 0


def test_current_never_waits_for_the_network(there) -> None:
    """While the API is slow a thread waits for it, and nobody else; then its news are used."""
    catalog = there.catalog(every=0.01)
    first = catalog.current()
    there.between.answers = [0.5]
    there.world.write(NEW)
    started = time.monotonic()
    asked = 0
    while catalog.current() is first:
        asked += 1
        time.sleep(0.001)
        assert time.monotonic() < started + 10
    assert asked > 50
    assert catalog.current().engine("relay").rate == 17


def test_a_slow_server_is_not_waited_for_without_end(there) -> None:
    """Each try has its time; the message says what happened, and where."""
    there.between.answers = [0.3] * 3
    catalog = there.catalog(timeout=0.05)

    assert message_of(catalog).startswith("/workflows: does not answer in time (ReadTimeout); asked 3 times (http://127")


def test_an_answer_that_trickles_is_given_up(there) -> None:
    """Though each of its parts comes in time."""
    there.between.answers = [[b" "] * 100] * 3

    assert "/workflows: does not answer in time" in message_of(there.catalog(timeout=0.05))


def test_a_change_between_two_collections_is_no_mistake(there) -> None:
    """Workflows of before with templates of after do not fit: it is looked again before anything is said."""
    edit = {"templates/hello.yaml": "", "templates/other.yaml": "{subject: Hi, text: Hi}"} | {
        f"workflows/{name}.yaml": GOOD[f"workflows/{name}.yaml"].replace("hello", "other") for name in ("7", "inline")}

    def change(path: str) -> None:
        if path == "/templates" and edit:
            there.world.write(edit)
            edit.clear()

    there.between.before = change

    assert there.catalog().load().workflow(7).template == "other"
    assert edit == {}


def test_a_folder_that_is_gone_is_no_empty_catalog(there) -> None:
    """Its server says that it has none now, and what was read stays in use."""
    catalog = there.catalog()
    first = catalog.current()
    there.world.folder.rename(there.world.folder.with_name("elsewhere"))
    catalog.look()

    assert catalog.current() is first
    assert there.between.statuses[503] == 3


def test_what_passes_is_tried_again(there) -> None:
    """After pauses that grow, and are not the same for all."""
    there.between.answers = [(500, b""), (429, b"")]

    assert there.catalog().load().engine("relay").rate == 5
    first, second = there.pauses
    assert 0.1 <= first <= 0.2 <= second <= 0.4


def test_a_token_is_asked_for_and_read_anew(tmp_path, monkeypatch) -> None:
    """Without, or with a wrong one, the message names the setting; a rotated one is used at the next look."""
    secret = tmp_path / "token"
    secret.write_text("old-token-of-ours\n")
    with stage(tmp_path / "catalog", token="new-token-of-ours") as there:
        assert "answers 401: is OUTREACH_CATALOG_TOKEN set" in message_of(there.catalog())
        catalog = there.catalog(token=SecretRef(f"file:{secret}"))
        assert "401" in message_of(catalog)
        secret.write_text("new-token-of-ours\n")
        assert catalog.load().workflow(7)
        assert "token-of-ours" not in repr(vars(catalog))
    assert there.pauses == []
    assert "UNSET is not set" in message_of(there.catalog(token=SecretRef("env:UNSET")))
    monkeypatch.setenv("ODD", "two words")
    assert "is no bearer token" in message_of(there.catalog(token=SecretRef("env:ODD")))


def test_nobody_there_at_the_start(there, tmp_path) -> None:
    """It is said at once, with the address, and how old what others still use is."""
    nowhere = f"http://127.0.0.1:{unused_port()}/v1"
    seen = Sighting(tmp_path / "state", nowhere)
    catalog = there.catalog(url=nowhere, sighting=seen)
    with pytest.raises(CatalogErrors, match=r"/v1/workflows: cannot be reached \(ConnectError"):
        catalog.current()
    assert nowhere in message_of(catalog)

    seen.note()
    assert "This machine's processes last read it 0 s ago" in message_of(catalog)
    assert Sighting(tmp_path / "state", "http://other").age() is None


@pytest.mark.parametrize(("seconds", "words"), [(42.4, "42 s"), (119, "119 s"), (180, "3 min"), (18_000, "5 h")])
def test_ages_are_told_in_words(seconds, words) -> None:
    """As people say them."""
    assert in_words(seconds) == words
