"""Replays: their recipients come from the earlier run's chunks, and are decided on again."""

from pathlib import Path
from typing import Any

import pytest

from outreach_stream.agents import replayed as module
from outreach_stream.agents.materials import SpecMaterials
from outreach_stream.dispatch.chunking import Chunker
from outreach_stream.dispatch.ports import CannotPlan, ChunkGone
from outreach_stream.domain.chunks import ReplayedChunk
from outreach_stream.domain.triggers import InlineRecipient, Replay
from tests.dispatch.test_materials import Specs

REPLAY = Replay(run_id="earlier", statuses=["failed", "in_doubt"])


class Earlier:
    """Chunks of the earlier run: 1,024 people from `p0` on, then 476 more; `failure` is what reading them gives."""

    def __init__(self, failure: Exception | None = None) -> None:
        chunker, self.failure = Chunker("earlier", "plan", ["city", "n"]), failure
        full = [chunker.add(f"p{n}@example.org", f"P {n}", ["Oslo", n]) for n in range(1_500)]
        self.chunks = [*filter(None, full), chunker.close()]

    async def read(self, run_id: str, offset: int) -> bytes:
        if self.failure:
            raise self.failure
        assert run_id == "earlier"
        return self.chunks[offset - 70]


def bits(*indexes: int) -> str:
    return f"{sum(1 << index for index in indexes):x}"


def place(number: int, indexes: str, doubted: str = "0", *, offset: int | None = None) -> ReplayedChunk:
    return ReplayedChunk(offset=70 + number if offset is None else offset, chunk=number, indexes=indexes,
                         doubted=doubted)


async def everybody(earlier: Earlier, specs: Specs, *chunks: ReplayedChunk, **changes: Any) -> tuple[list[str], list]:
    run = specs.run(replay=REPLAY, chunks=list(chunks), **changes)
    material = await SpecMaterials(specs, earlier).gather(run)
    async with material.people() as people:
        return list(people.columns), [list(page) async for page in people.pages]


async def test_those_chosen_with_their_data_and_their_doubts(monkeypatch) -> None:
    """In their order, a page at a time, and not those of the workflow's query."""
    monkeypatch.setattr(module, "PAGE", 2)
    specs = Specs("x", recipients={"database": "sqlite:////nowhere/p.db", "query": "SELECT 1"})

    columns, pages = await everybody(Earlier(), specs, place(0, bits(0, 7, 1_023), bits(7)), place(1, bits(3)))

    assert columns == ["city", "n"]
    assert [len(page) for page in pages] == [2, 1, 1]
    assert [person for page in pages for person in page] == [
        ("p0@example.org", "P 0", {"city": "Oslo", "n": 0}),
        ("p7@example.org", "P 7", {"city": "Oslo", "n": 7}, True),
        ("p1023@example.org", "P 1023", {"city": "Oslo", "n": 1_023}),
        ("p1027@example.org", "P 1027", {"city": "Oslo", "n": 1_027}),
    ]


async def test_who_unsubscribed_since_is_left_out(tmp_path: Path) -> None:
    """Also those in doubt."""
    (tmp_path / "stop.txt").write_text("p1@example.org\np2@example.org\n")
    specs = Specs("x", suppression={"file": str(tmp_path / "stop.txt")})

    _, [page] = await everybody(Earlier(), specs, place(0, bits(1, 2, 3), bits(2)))

    assert [person[:2] for person in page] == [
        ("p1@example.org", "suppressed"), ("p2@example.org", "suppressed"), ("p3@example.org", "P 3")]


async def test_the_recipients_of_an_express_run_keep_their_doubts() -> None:
    """They came with its trigger, and lie in no chunk."""
    people = [InlineRecipient(email=f"{n}@example.org", code=n) for n in range(3)]

    columns, [page] = await everybody(Earlier(), Specs("x"), recipients=people, doubted=[1])

    assert columns == ["code"]
    assert page == [("0@example.org", "", {"code": 0}), ("1@example.org", "", {"code": 1}, True),
                    ("2@example.org", "", {"code": 2})]


@pytest.mark.parametrize(("earlier", "chunks", "words", "retriable"), [
    (Earlier(ChunkGone("no longer holds offset 70")), [place(0, "1")], "not kept any more", False),
    (Earlier(TimeoutError()), [place(0, "1")], "cannot be read now", True),
    (Earlier(), [place(0, "1", offset=71)], "chunk 0 of run earlier cannot be read", False),
    (Earlier(), [place(0, "1"), place(1, bits(476))], "476 recipients", False),
    (Earlier(), [place(0, "-")], "cannot be read", False),
    (Earlier(), [], "nobody of run earlier ended as failed or in_doubt", False),
])
async def test_what_cannot_be_replayed_says_why(earlier, chunks, words: str, retriable: bool) -> None:
    """Gone, away, not what it should be, nobody: a reason for the run's owner."""
    with pytest.raises(CannotPlan, match=words) as raised:
        await everybody(earlier, Specs("x"), *chunks)

    assert raised.value.retriable == retriable
