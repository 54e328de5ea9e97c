"""Reading results on the hot path."""

import pytest

from outreach_stream.domain.marks import Mark
from outreach_stream.runs.results import MalformedResultError, Result, read_result


def test_reads_what_senders_write(result):
    """The encoded event is read into what counting needs."""
    value = result(5, 2, status="in_doubt", possible_duplicate=True).encode()

    assert read_result(value, 77) == Result(result(0).run_id, 2, 5, Mark.IN_DOUBT, True, 77)


@pytest.mark.parametrize("value", [
    None, b"", b"{", b"[]", b"null", b"1", b'"x"', b"{}", b"\xff",
    b'{"run_id":"r","chunk":0,"index":0,"email":"a@b.c","status":"posted"}',
    b'{"run_id":"r","chunk":0,"index":0,"email":"a@b.c","status":[]}',
    b'{"run_id":"r","chunk":0,"index":1024,"email":"a@b.c","status":"sent"}',
    b'{"run_id":"r","chunk":0,"index":-1,"email":"a@b.c","status":"sent"}',
    b'{"run_id":"r","chunk":true,"index":0,"email":"a@b.c","status":"sent"}',
    b'{"run_id":"r:0","chunk":0,"index":0,"email":"a@b.c","status":"sent"}',
    b'{"run_id":"r","chunk":0,"index":0,"email":"a@b.c","status":"sent","schema_version":2}',
    b'{"run_id":7,"chunk":0,"index":0,"email":"a@b.c","status":"sent"}',
    b'{"run_id":"r","chunk":0,"index":0,"email":null,"status":"sent"}',
])
def test_refuses_what_is_none_without_repeating_it(value):
    """Anything else is refused with one kind of error, whose message holds no address."""
    with pytest.raises(MalformedResultError) as refused:
        read_result(value, 0)

    assert "@" not in str(refused.value)
