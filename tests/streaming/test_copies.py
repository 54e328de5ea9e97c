"""The stored key of a copy: unmistakable, in order, found by its prefix."""

from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.streaming.copies import WRITER_BYTES, escape, split, stored_key, stored_prefix

keys = st.one_of(st.binary(max_size=20), st.lists(st.sampled_from([b"\0", b"\xff", b"a", b"\0\0"]), max_size=6)
                 .map(b"".join))
writers = st.one_of(st.binary(min_size=WRITER_BYTES, max_size=WRITER_BYTES),
                    st.sampled_from([b"\0" * WRITER_BYTES, b"\xff" * WRITER_BYTES]))


@given(keys, writers)
def test_key_and_writer_come_back(key: bytes, writer: bytes) -> None:
    """Any bytes may be in a key."""
    assert (key, writer) == split(stored_key(key, writer))


@given(keys, writers, keys, writers)
def test_no_copy_of_another_key_is_found(key: bytes, writer: bytes, other: bytes, other_writer: bytes) -> None:
    """A key's copies are exactly what begins with its stored prefix."""
    found = stored_key(other, other_writer).startswith(stored_prefix(key))

    assert (key == other) == found


@given(keys, keys, writers)
def test_a_prefix_finds_what_begins_with_it(prefix: bytes, key: bytes, writer: bytes) -> None:
    """A caller's prefix is a prefix of the stored key exactly when it is one of the key."""
    found = stored_key(key, writer).startswith(escape(prefix))

    assert key.startswith(prefix) == found


@given(keys, writers, keys, writers)
def test_order_is_that_of_the_keys(key: bytes, writer: bytes, other: bytes, other_writer: bytes) -> None:
    """The store iterates in key order, so the copies of one key lie together."""
    if key < other:
        assert stored_key(key, writer) < stored_key(other, other_writer)


def test_the_offset_that_faust_keeps_is_no_entry() -> None:
    """Faust stores its changelog offset beside the entries."""
    assert split(b"__faust\0offset__") is None
