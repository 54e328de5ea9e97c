"""An aggregator for the tests to kill. Its orders come as JSON in the first argument."""

import json
import sys
from pathlib import Path
from typing import Any

from outreach_stream import topics
from outreach_stream.agents.admit import Admit
from outreach_stream.agents.finalize import Finalize
from outreach_stream.agents.sweep import EVERY, PATIENCE, Sweep
from outreach_stream.agents.track import Track
from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.rest_logs import LogDelivery
from outreach_stream.engines.registry import engine_from
from outreach_stream.settings import Settings
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.instance import hold
from outreach_stream.streaming.worker import run
from outreach_stream.wiring import controlled

orders: dict[str, Any] = json.loads(sys.argv[1])
data_dir, bootstrap, layout = Path(orders["data_dir"]), orders["bootstrap"], topics.Layout()
data_dir.mkdir(exist_ok=True)
query = {"database": "sqlite:///people.db", "query": "SELECT email FROM people"}
catalog = MemoryCatalog(
    workflows=[Workflow.model_validate({"id": "1", "name": "Spring", "template": "spring", "engines": ["relay"],
                                        "from": "shop@example.org", "recipients": query,
                                        "parameters": {"code": {"default": ""}}})],
    templates=[Template(id="spring", subject="Hello", text="Hello")],
    engines=[engine_from({"id": "relay", "kind": "smtp", "host": "mx.example.org", "username": "shop",
                          "password": "env:RELAY_PASSWORD"})])
app = StreamApp("outreach-aggregator", bootstrap=bootstrap, data_dir=data_dir, session_timeout=6.0,
                instance_id=hold(data_dir, "outreach-aggregator"))
track = Track(app, layout, controlled(app, Settings(kafka_bootstrap=bootstrap)))
track.register()
Sweep(app, track, every=orders.get("sweep_every", EVERY), patience=orders.get("sweep_patience", PATIENCE)).register()
Admit(app, catalog.current, layout).register()
output = Path(orders["output_dir"])
Finalize(app, track, catalog.current, output, bootstrap,
         deliver=LogDelivery("http://127.0.0.1:1", None, output).note).register()    # to be sent one day

if __name__ == "__main__":
    sys.exit(run(app))
