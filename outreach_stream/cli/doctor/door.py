"""Whether a gateway answers where it is expected."""

import time
from email.utils import parsedate_to_datetime

import httpx

from outreach_stream.cli.doctor.finding import Found, Scene, ok, problem, warning
from outreach_stream.cli.doctor.running import FAST
from outreach_stream.settings import Settings

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - it is asked, not bound
"""Where a gateway is reached that listens on every address."""

SECONDS = 3.0
"""Seconds that its answer may take."""


def address(settings: Settings) -> str:
    """Where this machine's gateway is to be asked."""
    host = ANYWHERE.get(settings.gateway_host, settings.gateway_host)
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{settings.gateway_port}"


async def gateway(scene: Scene) -> list[Found]:
    """Whether it answers, and what it says of Kafka; it need not run everywhere."""
    url = address(scene.settings)
    try:
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
            answer = await client.get(f"{url}/health")
    except httpx.HTTPError:
        return [warning(f"none answers at {url}", "outreach gateway, if it is to run here")]
    return [answered(url, answer.status_code), *late(answer.headers.get("Date"), time.time())]


def answered(url: str, status: int) -> Found:
    """What the answer to `GET /health` means."""
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return ok(f"answers at {url}, and asks for a token")
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        return problem(f"answers at {url}: Kafka is away for it", "See what it logs, and its OUTREACH_KAFKA_BOOTSTRAP")
    if status != httpx.codes.OK:
        return warning(f"something answers at {url} with {status}: is it a gateway?",
                       "Another program may have the port: OUTREACH_GATEWAY_PORT names one")
    return ok(f"answers at {url}")


def late(date: str | None, now: float) -> list[Found]:
    """Whether the gateway's clock, as its Date header (RFC 9110 section 6.6.1) tells it, is another than ours."""
    try:
        difference = parsedate_to_datetime(date or "").timestamp() - now
    except ValueError:
        return []
    if abs(difference) <= FAST:
        return []
    return [warning(f"its clock is {abs(difference):,.0f} s {'ahead' if difference > 0 else 'behind'}",
                    "Let every machine follow the same time servers (NTP)")]
