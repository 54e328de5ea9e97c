"""Who is plugged into what: the only place that knows the concrete parts of each role."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import structlog
from faust.types import TP

from outreach_stream import topics
from outreach_stream.agents import send
from outreach_stream.agents.admit import Admit
from outreach_stream.agents.finalize import Finalize
from outreach_stream.agents.lanes import LaneTopic
from outreach_stream.agents.sweep import Sweep
from outreach_stream.agents.track import Track
from outreach_stream.catalog.source import CatalogSource, catalog_at
from outreach_stream.delivery.desk import Allowance, Desk
from outreach_stream.delivery.floor import Floor, Surroundings
from outreach_stream.domain import ports
from outreach_stream.domain.clock import wall_clock
from outreach_stream.domain.control import Control
from outreach_stream.domain.events import LaneProgress
from outreach_stream.domain.lanes import lanes_for
from outreach_stream.engines.config import EngineConfig
from outreach_stream.engines.missing import MissingEngine
from outreach_stream.engines.registry import build
from outreach_stream.recipients.unsubscribed import Unsubscribed
from outreach_stream.recipients.unsubscribing import links_of
from outreach_stream.rendering.composer import Briefs
from outreach_stream.runs.log_store import log_store
from outreach_stream.settings import Settings
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.beside import started
from outreach_stream.streaming.instance import hold
from outreach_stream.streaming.limits import Limits
from outreach_stream.streaming.orders import feeding
from outreach_stream.streaming.readers import RangeReaders
from outreach_stream.streaming.tables import MergedTable
from outreach_stream.streaming.views import View
from outreach_stream.streaming.worker import run
from outreach_stream.telemetry.endpoint import Listening

log = structlog.get_logger()

SENT_KEPT = topics.LONGEST_RUN + 14 * topics.DAY
"""Seconds the record of what was sent is kept: longer than anything that can be delivered again."""
SPEC_PATIENCE = 5.0
"""Seconds that a spec is waited for that is not in view; its requests are put off then."""


def catalog_of(settings: Settings) -> CatalogSource:
    """The catalog, of which one good reading is kept from here on: what breaks later stops nobody.

    Raises `CatalogErrors`.
    """
    catalog = catalog_at(settings)
    catalog.current()
    return catalog


def log_delivery(settings: Settings) -> Callable[[str], None] | None:
    """What brings finished logs to the catalog's API, begun; None: the catalog is a folder."""
    if isinstance(settings.catalog, Path):
        return None
    from outreach_stream.catalog.rest_logs import LogDelivery  # noqa: PLC0415 - the HTTP client, where it is used

    delivery = LogDelivery(settings.catalog, settings.catalog_token, log_store(settings.output))
    delivery.start()
    return delivery.note


def warn_of(engines: Mapping[str, EngineConfig]) -> None:
    """Say at the start what works in the engines' settings and should not be left so."""
    for engine, config in engines.items():
        for warning in config.warnings:
            log.warning("engine_warning", engine=engine, warning=warning)


def new_app(role: str, settings: Settings, data_dir: Path) -> StreamApp:
    """The role's Faust app, its state folder locked for this process."""
    assert settings.kafka_bootstrap, "the bootstrap servers are chosen before a role is wired"
    app_id = f"outreach-{role}"
    data_dir.mkdir(parents=True, exist_ok=True)
    return StreamApp(app_id, bootstrap=settings.kafka_bootstrap, data_dir=data_dir,
                     session_timeout=settings.session_timeout, instance_id=hold(data_dir, app_id),
                     limits=Limits.of_drain(settings.drain_timeout), min_insync=settings.insync,
                     topic_replication_factor=settings.replication)


def viewed[V = bytes](app: StreamApp, settings: Settings, topic: topics.Topic,
                      decode: Callable[[bytes], V] | None = None) -> View[V]:
    """A view of a compacted topic."""
    assert settings.kafka_bootstrap
    return started(app, View[V](settings.kafka_bootstrap, topic.name, decode=decode, spawn=app.spawn))


def controlled(app: StreamApp, settings: Settings) -> Control:
    """The orders in `control`, kept up to date; they are known before anything of an assignment is delivered."""
    assert settings.kafka_bootstrap
    control = Control()
    started(app, View[bytes](settings.kafka_bootstrap, topics.CONTROL.name, feeding(control), spawn=app.spawn))
    return control


def unsubscribed_of(app: StreamApp, settings: Settings) -> Unsubscribed:
    """Who has left which list, kept up to date, and known before anything of an assignment is delivered."""
    assert settings.kafka_bootstrap
    lists = Unsubscribed()
    started(app, View(settings.kafka_bootstrap, topics.SUPPRESSION.name, lists.note, spawn=app.spawn, keep=False))
    return lists


def spec_reader(specs: View) -> Callable[[str], Awaitable[bytes]]:
    """Reads specs by digest. One that is not in view is waited for once, then only looked for: it holds nobody up."""
    missed: set[str] = set()

    async def spec_bytes(digest: str) -> bytes:
        try:
            found = await specs.wait_for(digest.encode(), 0.0 if digest in missed else SPEC_PATIENCE)
        except TimeoutError:
            missed.add(digest)
            raise ports.SpecAway(digest) from None
        missed.discard(digest)
        return found
    return spec_bytes


def aggregator(settings: Settings, data_dir: Path) -> StreamApp:
    """Triggers in, runs tracked, logs written."""
    catalog = catalog_of(settings)
    app, layout = new_app("aggregator", settings, data_dir), settings.layout()
    assert settings.kafka_bootstrap
    track = Track(app, layout, controlled(app, settings))
    Admit(app, catalog.current, layout, unsubscribing=settings.unsubscribing).register()
    track.register()
    Sweep(app, track).register()
    Finalize(app, track, catalog.current, log_store(settings.output), settings.kafka_bootstrap,
             deliver=log_delivery(settings)).register()
    return app


def dispatcher(settings: Settings, data_dir: Path) -> StreamApp:
    """Admitted runs in, requests out."""
    # Here, because the database drivers take as long to import as all the rest, and only a dispatcher needs them.
    from outreach_stream.agents import expand, plan, plan_express  # noqa: PLC0415
    from outreach_stream.agents.chunks import RunChunks, StoredChunks  # noqa: PLC0415
    from outreach_stream.agents.expansion import Expansion  # noqa: PLC0415
    from outreach_stream.agents.materials import SpecMaterials  # noqa: PLC0415
    from outreach_stream.dispatch.planning import Planner  # noqa: PLC0415

    catalog = catalog_of(settings)
    app, layout = new_app("dispatcher", settings, data_dir), settings.layout()
    assert settings.kafka_bootstrap
    reader = started(app, RangeReaders(settings.kafka_bootstrap))
    chunks = StoredChunks(reader, layout.runs)
    materials = SpecMaterials(viewed(app, settings, topics.WORKFLOW_SPEC), chunks, links_of(settings),
                              unsubscribed_of(app, settings))
    progress = viewed(app, settings, topics.LANE_PROGRESS, LaneProgress.model_validate_json)
    orders = controlled(app, settings)

    def rate_of(engine: str) -> float | None:
        return catalog.current().engine(engine).rate

    planner = Planner(materials, lambda run_id: RunChunks(app, run_id, layout.runs), rate_of, wall_clock)
    plan.register(app, planner, layout, planners=settings.planners, orders=orders)
    plan_express.register(app, materials, LaneTopic(app, progress, topics.SEND_REQUESTED_EXPRESS.name), layout,
                          orders=orders)
    expand.register(app, Expansion(app, layout, lanes=LaneTopic(app, progress), chunks=chunks, reader=reader,
                                   rate_of=rate_of, ahead=settings.lane_ahead, orders=orders), layout)
    return app


def sender(settings: Settings, data_dir: Path) -> StreamApp:
    """Requests in, mails out, results published."""
    catalog = catalog_of(settings)
    app, layout = new_app("sender", settings, data_dir), settings.layout()
    warn_of(catalog.current().engines)
    briefs = Briefs(spec_reader(viewed(app, settings, topics.WORKFLOW_SPEC)), links_of(settings))

    def desk(engine_id: str) -> Desk:
        config = catalog.current().engines.get(engine_id)
        if config is None:  # slow at first, if it comes: its limits are known a moment later
            return Desk.of(engine_id, MissingEngine(engine_id, partial(found, engine_id)),
                           Allowance(1.0, 1.0, list(range(layout.lanes))), concurrency=1, partitions=layout.lanes)
        return Desk.of(engine_id, build(config), limits_of(config), concurrency=config.concurrency,
                       partitions=layout.lanes)

    def found(engine_id: str) -> ports.Engine | None:
        config = catalog.current().engines.get(engine_id)
        return build(config) if config else None

    def limits_of(config: EngineConfig) -> Allowance:
        return Allowance(config.rate, config.effective_burst, lanes_for(config, layout.lanes), config.hourly,
                         config.daily)

    def limits() -> Mapping[str, Allowance]:
        return {engine_id: limits_of(config) for engine_id, config in catalog.current().engines.items()}

    send.register(app, Floor(Surroundings(
        table=MergedTable(app, "sent", layout.lanes, ttl_seconds=SENT_KEPT),
        publish=send.publisher(app, layout.runs), hand_on=send.hander_on(app), briefs=briefs.get, desk=desk,
        express=lambda topic: topic == topics.SEND_REQUESTED_EXPRESS.name,
        own_work=lambda topic, partition: app.own_work(TP(topic, partition)), tell=send.teller(app),
        spawn=app.spawn, clock=wall_clock, control=controlled(app, settings),
        unsubscribed=unsubscribed_of(app, settings).has)), limits)
    return app


ROLES: dict[str, Callable[[Settings, Path], StreamApp]] = {
    "aggregator": aggregator, "dispatcher": dispatcher, "sender": sender}
"""The roles of `outreach worker`, in flow order."""


def run_role(role: str, settings: Settings, data_dir: Path | None = None, listening: Listening | None = None) -> int:
    """Run one role in this process until SIGTERM or SIGINT; returns the exit code."""
    return run(ROLES[role](settings, data_dir or settings.state_dir / role), listening)
