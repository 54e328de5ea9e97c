"""The bench, whole, and what it computes with."""

import json
import os
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from subprocess import PIPE
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from outreach_stream.cli.bench.figures import lost_and_doubled, percentile, summary
from outreach_stream.cli.bench.kafka import check_alone
from outreach_stream.cli.bench.plan import Plan
from outreach_stream.cli.bench.plot import bars, pictures, shares
from outreach_stream.cli.bench.sinks import OFTEN, SELDOM, InboxSink, PostfixSink, counted
from outreach_stream.cli.bench.stage import BULK, Stage
from outreach_stream.cli.bench.throughput import LOOPS, problems
from outreach_stream.cli.demo.stage import held_port
from outreach_stream.cli.exits import CommandError
from outreach_stream.gateway.health.pulse import Pulse
from outreach_stream.inbox.light import arrivals
from tests.cli.conftest import Outreach, family, running, wait_until_gone

ROLES = ("aggregator", "dispatcher", "sender")


@pytest.mark.timeout(300)
def test_a_small_run_with_all_its_figures(tmp_path: Path) -> None:
    """Nobody lost, nobody mailed twice, every figure there, the pictures drawn, and nothing else left behind."""
    with running(tmp_path, "bench", "--recipients", "300", "--warm-up", "0", "--sink", "inbox", "--plot", "plots",
                 "--json", stdout=PIPE, stderr=PIPE) as bench:
        out, said = bench.communicate(timeout=290)

    assert bench.returncode == 0, said
    figures = json.loads(out.splitlines()[-1])
    assert (figures["state"], figures["sent"], figures["recipients"]) == ("COMPLETED", 300, 300)
    assert (figures["lost"], figures["duplicates"]) == (0, 0)
    assert figures["recipients_per_s"] > 0
    assert 0 < figures["seconds_to_first_mail"] < figures["seconds"] <= figures["seconds_to_log"]
    cpu = figures["cpu_us_per_recipient"]
    assert {"outreach", *ROLES, "broker", "sink"} == cpu.keys()
    assert figures["cores"] > 0
    assert 0 < figures["watching_us_per_recipient"] < cpu["outreach"]
    assert cpu["outreach"] == pytest.approx(sum(cpu[role] for role in ROLES), abs=0.2)
    assert {*ROLES, "broker", "sink"} == figures["peak_mib"].keys()
    assert all(figures["disk_bytes_per_recipient"][what] > 0 for what in ("kafka", "log"))
    assert figures["baselines"]["mails"] == 300
    assert all(figures["baselines"][f"{loop}_per_s"] > 0 for loop in ("aiosmtplib", "pipelined", "coupled"))
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"throughput.svg", "cpu.svg"}
    assert {path.name for path in tmp_path.iterdir()} == {"plots", "tmp"}
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.timeout(200)
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """An interrupt while the workers start ends all processes, with the code that shells give it."""
    with running(tmp_path, "bench", "--warm-up", "0", stdout=PIPE, stderr=PIPE) as bench:
        assert bench.stdout
        assert any(line.startswith("Round 1 of 1") for line in iter(bench.stdout.readline, ""))
        processes = family(bench.pid)
        assert any("java" in each.name() for each in processes)

        bench.send_signal(2)
        bench.communicate(timeout=120)

        assert bench.returncode == 130
        wait_until_gone(processes)
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("arguments", [
    ("--recipients", "0"), ("latency", "--bulk-rate", "fast"), ("--sink", "smtp-sink", "--latency", "5"), ("speed",),
])
def test_what_cannot_be_measured_is_2(inside: Outreach, arguments: tuple[str, ...]) -> None:
    """Nothing is begun for a command line that asks for what there is not."""
    answer = inside("bench", *arguments)

    assert answer.returncode == 2
    assert answer.stderr


@pytest.mark.parametrize(("roles", "unfinished", "lag", "said"), [
    (1, 0, 0, "Workers of outreach-stream are running"), (0, 2, 0, "Runs have not ended"),
    (0, 0, 3, "Triggers wait"), (0, 0, 0, None),
])
def test_a_kafka_in_use_is_refused(roles: int, unfinished: int, lag: int, said: str | None) -> None:
    """Others' workers would take the bench's runs, and the bench's would mail others' recipients to its sink."""
    pulse = Pulse("kafka.example.com:9092")
    pulse.roles |= {"sender": roles}
    pulse.lag = {"aggregator": {"workflow.triggered": lag, "run.event": 1}}
    runs = SimpleNamespace(unfinished=lambda: unfinished)

    refused = pytest.raises(CommandError, match=f"{said}.* at kafka.example.com:9092") if said else nullcontext()
    with refused:
        check_alone(pulse, runs)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100), (0.001, 1)])
def test_percentiles_are_values_that_were_measured(share: float, value: float) -> None:
    """Nearest rank, whatever the order."""
    assert percentile([*range(100, 0, -1)], share) == value


def test_a_percentile_of_one_value_is_that_value() -> None:
    """However few were measured."""
    assert [percentile([7.5], share) for share in (0.0, 0.5, 0.99, 1.0)] == [7.5] * 4


def test_rounds_become_medians_and_the_worst_of_what_must_not_be() -> None:
    """Groups of figures, too; with one round there is no span."""
    rounds = [{"rate": rate, "sink": "inbox", "lost": lost, "duplicates": 0, "cpu": {"sender": micros}}
              for rate, lost, micros in ((100, 0, 1.5), (300, 2, 2.5), (200, 0, 9.5))]

    told = summary(rounds)

    assert (told["rate"], told["sink"], told["lost"], told["cpu"]["sender"]) == (200, "inbox", 2, 2.5)
    assert (told["min"]["rate"], told["max"]["cpu"]["sender"], told["rounds"]) == (100, 9.5, 3)
    assert "min" not in summary(rounds[:1])


@pytest.mark.parametrize(("sent", "mails", "reached", "found"), [
    (100, 100, 100, (0, 0)), (100, 100, 99, (1, 1)), (100, 98, 98, (2, 0)),
    (100, 100, None, (0, 0)), (100, 99, None, (1, 0)), (100, 101, None, (0, 1)), (97, 97, None, (3, 0)),
])
def test_who_is_lost_and_who_was_mailed_twice(sent: int, mails: int, reached: int | None,
                                              found: tuple[int, int]) -> None:
    """Of a hundred wanted; a sink that does not know recipients is compared with what the run says was sent."""
    assert lost_and_doubled(sent, 100, mails, reached) == found


def test_a_bad_run_is_said_to_be_bad() -> None:
    """Speed is no excuse."""
    good = {"state": "COMPLETED", "lost": 0, "duplicates": 1, "possible_duplicates": 1}

    assert problems(good) == []
    assert len(problems(good | {"state": "FAILED", "lost": 3, "possible_duplicates": 0})) == 3


def test_pictures_are_drawings_with_every_name_and_value() -> None:
    """Whatever the values, also none at all; what stands in a name cannot end the drawing."""
    figures = {"recipients_per_s": 2_295, "cpu_us_per_recipient": {"outreach": 401.0, "sender": 371.0, "broker": 84.0},
               "baselines": {f"{loop}_per_s": 3_406 for loop in LOOPS}}

    drawn = pictures(figures, LOOPS)

    texts = {name: "".join(ET.fromstring(svg).itertext()) for name, svg in drawn.items()}
    assert "2,295 /s" in texts["throughput.svg"]
    assert "371 µs" in texts["cpu.svg"] and "401" not in texts["cpu.svg"]
    ET.fromstring(bars("<&>", [("<a & b>", 0)], "µs", []))
    curve = "".join(ET.fromstring(shares("t", [("by HTTP", [3.0, 1.0, 2.0]), ("none", [])])).itertext())
    assert "by HTTP: p50 2, p99 3 ms" in curve


def test_the_sink_notes_who_got_mail(tmp_path: Path) -> None:
    """Our sink, spoken to by the standard library: dots in a message do not end it; a mark parts the runs."""
    with held_port(0) as hold, light_sink(tmp_path, hold.getsockname()[1]) as sink:
        port = hold.getsockname()[1]
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            client.sendmail("n@s.example", ["a@r.example"], b"Subject: 1\r\n\r\n.\r\n..\r\nbye\r\n")
            wait_for(lambda: sink.received().mails == 1)
            sink.mark()
            client.sendmail("n@s.example", ["b@r.example"], b"")
            client.sendmail("n@s.example", ["b@r.example"], b"Subject: 2\r\n\r\nhello\r\n")
        wait_for(lambda: sink.received().mails == 2)

        received = sink.received()
        assert received.recipients == {"b@r.example": 2}
        assert 0 < received.first <= received.last <= time.time()
        assert [mail.recipient for mail in arrivals(sink.record)] == ["a@r.example", "b@r.example", "b@r.example"]


def test_the_loops_send_the_runs_messages(tmp_path: Path) -> None:
    """Each of the three sends every message once, to a sink that takes its time: replies come one by one."""
    stage = Stage(tmp_path / "stage", Plan(recipients=25))
    with light_sink(tmp_path, stage.port, latency=1.0) as sink:
        loops = subprocess.run(
            [sys.executable, "-m", "outreach_stream.cli.bench.bare", str(stage.catalog), str(stage.port), "25", "4"],
            capture_output=True, text=True, timeout=60, check=True)
        wait_for(lambda: sink.received().mails == 75)
        received = sink.received()
    stage.close()

    assert set(received.recipients.values()) == {3}
    assert {f"{loop}_per_s" for loop in LOOPS} < json.loads(loops.stdout).keys()
    assert (stage.catalog / f"workflows/{BULK}.yaml").is_file()


@pytest.mark.parametrize(("printed", "mails"), [
    (b"", 0), (b"sess=0 quit=0 mesg=1\r", 1), (b"sess=0 quit=0 mesg=41\rsess=0 quit=0 mesg=42\rsess=0 qu", 42),
    (b"t=0 mesg=999\rsess=0 quit=0 mesg=10", 999),
])
def test_what_smtp_sink_prints_is_read(printed: bytes, mails: int) -> None:
    """The last count that is whole, however much of the next is there."""
    assert counted(printed) == mails


def test_smtp_sink_is_looked_at_often_until_its_first_mail(tmp_path: Path) -> None:
    """From then on seldom: when the last one came stands at the file, however late it is looked at."""
    sink = PostfixSink("smtp-sink", 2525, tmp_path)
    sink.mark()
    assert sink.look() == OFTEN

    for printed, moment in ((b"sess=0 quit=0 mesg=1\r", 1_000.5), (b"sess=0 quit=0 mesg=3\r", 1_002.25)):
        with (tmp_path / "sink.log").open("ab") as output:
            output.write(printed)
        os.utime(tmp_path / "sink.log", (moment, moment))
        assert sink.look() == SELDOM

    assert sink.received() == (3, 1_000.5, 1_002.25, None)
    sink.mark()
    assert sink.look() == OFTEN


@contextmanager
def light_sink(folder: Path, port: int, latency: float = 0.0) -> Iterator[InboxSink]:
    """Our sink as a process of its own, listening."""
    sink = InboxSink(port, folder, latency)
    process = subprocess.Popen(sink.program.command)
    try:
        wait_for(lambda: listens(port))
        yield sink
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(true: Callable[[], bool], seconds: float = 20) -> None:
    """Raises AssertionError if it does not become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
