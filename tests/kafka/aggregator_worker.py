"""An aggregator for the tests to kill. Its orders come as JSON in the first argument."""

import json
import os
import signal
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
from outreach_stream.runs.log_store import log_store
from outreach_stream.settings import Settings, output_place
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
store = log_store(output_place(orders["output"]))
noted = LogDelivery("http://127.0.0.1:1", None, store).note     # to be sent one day


def deliver(name: str) -> None:
    """Note the log; with the order `dies`, die with it once: between the log and the word that it is written.

    The order is a file's path, by the name of the run whose log it is to be.
    """
    noted(name)
    if "dies" in orders and Path(orders["dies"]).name in name and not Path(orders["dies"]).exists():
        Path(orders["dies"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)


Finalize(app, track, catalog.current, store, bootstrap, deliver=deliver).register()

if __name__ == "__main__":
    sys.exit(run(app))
