"""A dispatcher for the tests to kill. Its orders come as JSON in the first argument."""

import json
import sys
from pathlib import Path
from typing import Any

from faust.types import TP

from outreach_stream import topics
from outreach_stream.agents import expand, plan, plan_express
from outreach_stream.agents.chunks import RunChunks, StoredChunks
from outreach_stream.agents.expansion import Expansion
from outreach_stream.agents.lanes import LaneTopic
from outreach_stream.agents.materials import SpecMaterials
from outreach_stream.dispatch.planning import Planner
from outreach_stream.domain.clock import wall_clock
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.instance import hold
from outreach_stream.streaming.reader import RangeReader
from outreach_stream.streaming.views import View
from outreach_stream.streaming.worker import run

orders: dict[str, Any] = json.loads(sys.argv[1])
data_dir, bootstrap, layout = Path(orders["data_dir"]), orders["bootstrap"], topics.Layout()
data_dir.mkdir(exist_ok=True)
app = StreamApp("outreach-dispatcher", bootstrap=bootstrap, data_dir=data_dir, session_timeout=6.0,
                instance_id=hold(data_dir, "outreach-dispatcher"))
specs, progress = (View(bootstrap, topic.name, spawn=app.spawn)
                   for topic in (topics.WORKFLOW_SPEC, topics.LANE_PROGRESS))
reader = RangeReader(bootstrap)
unstarted: list[Any] = [specs, progress, reader]


async def start_readers(_: frozenset[TP]) -> None:
    while unstarted:
        await unstarted.pop().start()
    await progress.catch_up()


def rate_of(engine: str) -> float | None:
    return orders["rates"][engine]


app.on_assigned.append(start_readers)
materials = SpecMaterials(specs)
plan.register(app, Planner(materials, lambda run_id: RunChunks(app, run_id, layout.runs), rate_of, wall_clock),
              layout, planners=4)
plan_express.register(app, materials, LaneTopic(app, progress, topics.SEND_REQUESTED_EXPRESS.name), layout)
expand.register(app, Expansion(app, layout, lanes=LaneTopic(app, progress), chunks=StoredChunks(reader, layout.runs),
                               reader=reader, rate_of=rate_of, ahead=2.0), layout)

if __name__ == "__main__":
    sys.exit(run(app))
