"""Chunks: all recipients in order, within the limits, whoever is left out with a reason."""

from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.dispatch.chunking import CHUNK_BYTES, Chunker
from outreach_stream.domain.events import RunChunk

texts = st.text(max_size=20)
people = st.lists(st.one_of(
    st.tuples(texts, st.one_of(st.none(), texts), st.one_of(texts, st.integers(-2**60, 2**60), st.none())),
    st.tuples(texts, texts),
), max_size=60)


def cut(items: list[tuple], columns: tuple[str, ...] = ("x",)) -> tuple[Chunker, list[bytes]]:
    """All chunks of the items: triples are recipients, pairs are left out."""
    chunker, chunks = Chunker("run", "plan", columns), []
    for item in items:
        full = chunker.skip(*item) if len(item) == 2 else chunker.add(item[0], item[1], list(item[2:]))
        chunks += [full] if full else []
    rest = chunker.close()
    return chunker, chunks + ([rest] if rest else [])


@given(people, st.integers(1, 200))
def test_nobody_is_lost(items: list[tuple], repeat: int) -> None:
    """Rows and skipped come out as they went in, in order, in chunks within both limits."""
    items = items * repeat
    chunker, encoded = cut(items)
    chunks = [RunChunk.model_validate_json(chunk) for chunk in encoded]

    assert [row for chunk in chunks for row in chunk.rows] == [list(item) for item in items if len(item) == 3]
    assert [pair for chunk in chunks for pair in chunk.skipped] == [item for item in items if len(item) == 2]
    assert [chunk.chunk for chunk in chunks] == list(range(len(chunks)))
    assert all(len(chunk.rows) <= 1024 for chunk in chunks)
    assert all(len(chunk) <= CHUNK_BYTES for chunk in encoded)
    assert chunker.total + chunker.skipped == len(items)


def test_a_chunk_has_1024_recipients_at_most() -> None:
    """2,049 short rows: two full chunks and one."""
    _, chunks = cut([(f"{n}@x.org", None, n) for n in range(2_049)])

    assert [len(RunChunk.model_validate_json(chunk).rows) for chunk in chunks] == [1024, 1024, 1]


def test_large_rows_make_more_chunks() -> None:
    """A hundred rows of 10 KB do not fit into 256 KiB: 25 or 26 go into each chunk."""
    _, chunks = cut([(f"{n}@x.org", None, "é" * 5_000) for n in range(100)])

    assert all(len(chunk) <= CHUNK_BYTES for chunk in chunks)
    assert len(chunks) == 4


def test_a_row_that_fits_into_no_chunk_is_skipped() -> None:
    """One oversized row does not stop the run: its recipient is left out, with the size as reason."""
    chunker, chunks = cut([("a@x.org", None, "y" * CHUNK_BYTES), ("b@x.org", None, "fine")])
    chunk = RunChunk.model_validate_json(chunks[0])

    assert [row[0] for row in chunk.rows] == ["b@x.org"]
    assert chunk.skipped[0][0] == "a@x.org"
    assert "more than fit" in chunk.skipped[0][1]
    assert (chunker.total, chunker.skipped) == (1, 1)


def test_the_doubted_are_named_by_their_place() -> None:
    """In each chunk by itself, and no chunk grows too large by that."""
    chunker, chunks = Chunker("run", "plan", ["x"]), []
    for n in range(3_000):
        full = chunker.add(f"{n}@x.org", None, ["z" * 240], doubted=n % 3 == 0)
        chunks += [full] if full else []
    encoded = [*chunks, chunker.close()]
    found = [RunChunk.model_validate_json(chunk) for chunk in encoded]

    assert [chunk.rows[index][0] for chunk in found for index in chunk.doubted] == [
        f"{n}@x.org" for n in range(0, 3_000, 3)]
    assert len(found) > 3   # Their bytes, not their number, closed the chunks.
    assert all(len(chunk) <= CHUNK_BYTES for chunk in encoded)


def test_what_is_no_json_is_skipped() -> None:
    """A value that JSON cannot say (half a surrogate pair, bytes) concerns its recipient only."""
    chunker, chunks = cut([("\ud800@x.org", None, "v"), ("b@x.org", None, b"bytes"), ("c@x.org", "C", "v")])
    chunk = RunChunk.model_validate_json(chunks[0])

    assert [row[0] for row in chunk.rows] == ["c@x.org"]
    assert [email for email, _ in chunk.skipped] == ["?@x.org", "b@x.org"]
    assert chunker.skipped == 2


def test_nobody_makes_no_chunk() -> None:
    """An empty query leaves nothing behind."""
    assert cut([])[1] == []
