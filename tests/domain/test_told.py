"""What a sender writes for each mail, against the model of the contract."""

from dataclasses import asdict, fields

from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.domain.events import SendResult
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.domain.told import Told

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
MAYBE = st.none() | TEXTS
STAMP = "2026-11-29T08:00:00.000Z"


@given(st.builds(
    Told, run_id=TEXTS, send_id=TEXTS, chunk=st.integers(), index=st.integers(), email=TEXTS,
    status=st.sampled_from(RecipientStatus), reason=MAYBE, engine=TEXTS, message_id=MAYBE, provider_message_id=MAYBE,
    attempts=st.integers(0, 9), possible_duplicate=st.booleans(), recovered=st.booleans(),
    started_at=st.none() | st.just(STAMP), finished_at=st.just(STAMP)))
def test_it_is_written_as_the_contract_says(told: Told) -> None:
    """Byte for byte what the public model would write."""
    assert told.encode() == SendResult.model_construct(**asdict(told)).encode()


def test_a_number_beyond_64_bits_holds_up_nobody() -> None:
    """What one result cannot be written with would keep all that are written together with it from being told."""
    told = Told("r", "r:0:0", 10**30, 0, "a@x.example", RecipientStatus.SENT, None, "e", None, None, 1, False, False,
                None, STAMP)
    assert told.encode() == SendResult.model_construct(**asdict(told)).encode()


def test_it_has_every_field() -> None:
    """A field that the contract gains is not forgotten here."""
    assert ("schema_version", *(field.name for field in fields(Told))) == tuple(SendResult.model_fields)
