"""Every metric that our processes expose, with its meaning: a closed vocabulary, of which docs/metrics.md is written.

Labels have few values: roles, topics, engines, kinds of outcome, routes. Never an address, a run, or what a provider
said: each new value is a time series that is kept for weeks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

PREFIX = "outreach_"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Counters begin with 0 in each process."""

    name: str
    """As it is exposed, but for what a kind adds: counters have `_total`, histograms `_bucket`, `_sum`, `_count`."""
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    watch: str = ""
    """What an operator may want to be told of."""

    @property
    def exposed(self) -> tuple[str, ...]:
        """The names of its time series."""
        if self.kind == "histogram":
            return f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count"
        return (f"{self.name}_total",) if self.kind == "counter" else (self.name,)


def _counter(name: str, meaning: str, *labels: str, watch: str = "") -> Metric:
    return Metric(PREFIX + name, "counter", meaning, labels, watch)


def _gauge(name: str, meaning: str, *labels: str, watch: str = "") -> Metric:
    return Metric(PREFIX + name, "gauge", meaning, labels, watch)


def _histogram(name: str, meaning: str, *labels: str, watch: str = "") -> Metric:
    return Metric(PREFIX + name, "histogram", meaning, labels, watch)


BUILD = _gauge("build_info", "1, for the version that runs", "role", "version", "python",
               watch="several versions for longer than a deploy takes")
LOOP_AGE = _gauge("loop_age_seconds", "Since the process's event loop last turned; not of the gateway",
                  watch="above 5: it hangs, and `/live` fails at 10")
READY = _gauge("ready", "1 while `/ready` is 200; not of the gateway", watch="0 for minutes")

TAKEN = _counter("records_taken", "Records that were handed to an agent; after a rebalance some again", "topic")
BATCHES = _counter("batches_taken", "Batches in which they came", "topic")
LAG = _gauge("worker_lag_records", "Records of this worker's partitions that are not finished, as of its last fetch. "
             "Requests that were put off are finished", "topic")
UNFINISHED = _gauge("records_unfinished", "Records in this process's hands", "topic")
OLDEST = _gauge("oldest_unfinished_seconds", "Age of the oldest record in this process's hands", "topic",
                watch="of `send.requested`: minutes, while no engine is stopped and no run is paused")
UNCOMMITTED = _gauge("records_uncommitted", "Finished, and not committed yet", "topic",
                     watch="above 0 while the last commit is a minute old: what is done would be repeated")
COMMITTED_AT = _gauge("last_commit_timestamp_seconds", "When this process last committed; 0: not yet")
LEASE = _gauge("lease_valid", "1 while nobody else can own this worker's partitions; 0: it starts nothing",
               watch="0 for longer than a broker's restart")
PARTITIONS = _gauge("partitions_assigned", "Partitions that are this worker's", "topic",
                    watch="the sum over all workers of a topic below its partitions")
BURIED = _counter("dead_letters", "Records that nobody can read, by where they came from", "topic",
                  watch="any: `outreach dead-letters list` says what and why")

ENDED = _counter("recipients_ended", "Recipients whose end is published: sent, failed, in_doubt, expired, cancelled, "
                 "skipped; `recovered`: said again, after a crash", "engine", "outcome",
                 watch="in_doubt, and a share of failed that grows")
MOVED = _counter("recipients_moved", "Recipients handed on to the next engine of their workflow", "engine",
                 watch="any: their engine has stopped")
ATTEMPTS = _counter("attempts", "Hand-overs by what came of them: accepted, transient, throttled, recipient_rejected, "
                    "message_rejected, sender_blocked, engine_stopped, in_doubt", "engine", "outcome",
                    watch="throttled: the rate is too high; sender_blocked: ask the provider")
RETRIES = _counter("retries", "Recipients that are to be tried again, `in_place` within a second, or `later`", "engine",
                   "kind")
HAND_OVER = _histogram("hand_over_seconds", "From a mail's first byte to the provider's answer", "engine",
                       watch="a median that doubles: the provider is slow, and `concurrency` is the limit then")
RENDERING = _histogram("rendering_seconds", "To render one mail: time that the process does nothing else", "engine",
                       watch="above 0.01: a template is too costly for the rate")
LANE = _gauge("lane_requests", "Requests in this process's lanes: `open` are waiting or at work, `put_off` are in the "
              "table until they are due", "engine", "state", watch="put_off that grows for an hour")
PLACES = _gauge("engine_places", "Mails that may be in work at a time here", "engine")
PLACES_USED = _gauge("engine_places_used", "Mails in work, those included whose end is not durable yet", "engine",
                     watch="49 in 50 of the places (the rest is for express) while the bucket has tokens: "
                           "raise `concurrency`")
TOKENS = _gauge("bucket_tokens", "Mails that could go at once now; none for an engine without a rate", "engine")
RATE = _gauge("engine_rate", "Mails a second that this process may send now, its share of the engine's; none for an "
              "engine without a rate", "engine")
FACTOR = _gauge("engine_rate_factor", "Part of the rate that is used since the provider said that we are too fast",
                "engine", watch="below 0.5 for an hour: the rate is too high")
PAUSE = _gauge("engine_pause_seconds", "For so long nothing goes: the provider asked for a pause", "engine")
STOPPED = _gauge("engine_stopped", "1: nothing is handed to it until an operator says `outreach engine resume`",
                 "engine", watch="1")

RUNS = _gauge("runs", "Unfinished runs, and those without their log, by state", "state",
              watch="QUEUED or INITIALIZING for minutes: no dispatcher, or a slow query")
RUNS_ENDED = _counter("runs_ended", "Runs whose log is written, by state", "state", watch="FAILED: any")
LOGS_DUE = _gauge("logs_due", "Ended runs whose log is being written", watch="above 0 for longer than a log takes")

PLANNING = _gauge("runs_planning", "Runs that are being planned, or wait for their turn or their database",
                  watch="above OUTREACH_PLANNERS for long: queries are slow")
PLANNED = _counter("runs_planned", "Plans made: planned, failed, cancelled", "result", watch="failed: any")
EXPANDING = _gauge("runs_expanding", "Runs with a query whose requests are not all in their lanes", "engine")
REQUESTED = _counter("requests_expanded", "Requests put into lanes, those of express runs not included", "engine")

SCHEDULES = _gauge("schedules", "Schedules that are ticked")
SLOTS = _counter("slots_triggered", "Slots of schedules that are in Kafka for sure")
SLOTS_FAILED = _counter("slots_not_triggered", "Tries that Kafka did not confirm in time; each is made again",
                        watch="a rise for minutes: slots are late")
LATENESS = _histogram("slot_lateness_seconds", "From when a slot was due until it was in Kafka",
                      watch="above 60 without a pause of all tickers")
PUBLISHED = _counter("triggers_published", "Triggers (replays, too) that Kafka has for sure")

BROKER = _gauge("broker_reachable", "1 while Kafka answers the gateway", watch="0")
COMPLETE = _gauge("statuses_complete", "1 once all statuses of runs have been read", watch="0 for minutes")
MEMBERS = _gauge("members", "Workers of a role, as Kafka knows them", "role", watch="0")
GROUP_LAG = _gauge("group_lag_records", "Records that a role has not finished, whether anybody works or not; none "
                   "while Kafka does not say it", "role", "topic",
                   watch="a rise that does not end, of any topic but `send.requested` (its engine's rate is the limit)")
REQUESTS = _counter("http_requests", "Requests answered", "route", "method", "status", watch="5xx")
LATENCY = _histogram("http_request_seconds", "From a request to the beginning of its answer", "route", "method",
                     watch="of `/api/v1/trigger`: a median above 0.1: Kafka is slow")

SECTIONS = {
    "Every process": (BUILD,),
    "Workers and tickers": (LOOP_AGE, READY),
    "Every worker": (TAKEN, BATCHES, LAG, UNFINISHED, OLDEST, UNCOMMITTED, COMMITTED_AT, LEASE, PARTITIONS, BURIED),
    "Senders": (ENDED, MOVED, ATTEMPTS, RETRIES, HAND_OVER, RENDERING, LANE, PLACES, PLACES_USED, TOKENS, RATE, FACTOR,
                PAUSE, STOPPED),
    "Aggregators": (RUNS, RUNS_ENDED, LOGS_DUE),
    "Dispatchers": (PLANNING, PLANNED, EXPANDING, REQUESTED),
    "Tickers": (SCHEDULES, SLOTS, SLOTS_FAILED, LATENESS),
    "Tickers and the gateway": (PUBLISHED,),
    "The gateway": (BROKER, COMPLETE, MEMBERS, GROUP_LAG, REQUESTS, LATENCY),
}
"""All metrics, by who has them."""

METRICS = tuple(metric for section in SECTIONS.values() for metric in section)


def table() -> Iterator[str]:
    """The lines of docs/metrics.md below its head."""
    for section, metrics in SECTIONS.items():
        yield from ("", f"## {section}", "", "| metric | type | labels | meaning | worth an alert |",
                    "|---|---|---|---|---|")
        for metric in metrics:
            name = metric.exposed[0] if metric.kind == "counter" else metric.name
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            yield f"| `{name}` | {metric.kind} | {labels} | {metric.meaning} | {metric.watch} |"
