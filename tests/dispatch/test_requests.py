"""Requests, as they are made from a chunk."""

from outreach_stream.dispatch.chunking import Chunker
from outreach_stream.dispatch.requests import read_chunk, requests_of
from outreach_stream.domain.events import RunPlanned, SendRequested


def test_doubts_go_on_with_their_recipients() -> None:
    """Whoever may have been mailed is requested as such, and nobody else."""
    chunker = Chunker("run", "plan", ["n"])
    for n in range(20):
        chunker.add(f"p{n}@x.org", None, [n], doubted=n in {3, 4, 19})
    plan = RunPlanned(run_id="run", plan_id="plan", engine="relay", lanes=[1, 2, 3], spec="d", weight=1.0, chunks=[0],
                      deadline=60, total=20, skipped=0, planned_at=0)
    snapshot = read_chunk(chunker.close(), "run", 0)

    requests = [SendRequested.model_validate_json(value) for values in requests_of(plan, 0, snapshot, 4, 20).values()
                for value in values]

    assert sorted(request.index for request in requests) == list(range(4, 20))
    assert {request.index for request in requests if request.doubted} == {4, 19}
