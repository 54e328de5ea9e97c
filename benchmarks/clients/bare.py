"""What somebody would write who had only the client library: a loop over as many connections, no error handling."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import aiosmtplib
import botocore.config
import botocore.session
import httpx

from .mails import SENDER, TEXT, address, mime

KEY, ID, SECRET, REGION = "key-0123456789abcdef", "AKIDBENCH", "bench-secret-0123456789", "eu-west-1"
MAILGUN_DOMAIN = "mg.example.com"
os.environ |= {"BENCH_KEY": KEY, "BENCH_SECRET": SECRET}

type Loop = Callable[[int, int, int], Awaitable[None]]
"""Of (port, messages, connections)."""
type Post = Callable[[Any, str, int], Awaitable[None]]
"""Posts one mail by (client, base URL, number)."""


async def share(send: Callable[[int], Awaitable[None]], messages: int, connections: int) -> None:
    """Every number once, by as many workers as there are connections."""
    numbers = iter(range(messages))

    async def worker() -> None:
        for number in numbers:
            await send(number)

    await asyncio.gather(*(worker() for _ in range(connections)))


async def smtp(port: int, messages: int, connections: int) -> None:
    numbers = iter(range(messages))

    async def worker() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for number in numbers:
                await client.sendmail(SENDER.email, [address(number)], mime(number))

    await asyncio.gather(*(worker() for _ in range(connections)))


def by_aiohttp(post: Post) -> Loop:
    async def loop(port: int, messages: int, connections: int) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as client:
            await share(lambda number: post(client, f"http://127.0.0.1:{port}", number), messages, connections)
    return loop


def by_httpx(post: Post) -> Loop:
    async def loop(port: int, messages: int, connections: int) -> None:
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=connections)) as client:
            await share(lambda number: post(client, f"http://127.0.0.1:{port}", number), messages, connections)
    return loop


def sendgrid_mail(number: int) -> dict[str, Any]:
    return {"personalizations": [{"to": [{"email": address(number)}]}], "subject": "Hello",
            "from": {"email": SENDER.email, "name": SENDER.name}, "content": [{"type": "text/plain", "value": TEXT}]}


async def sendgrid_aiohttp(client: aiohttp.ClientSession, url: str, number: int) -> None:
    async with client.post(f"{url}/v3/mail/send", json=sendgrid_mail(number),
                           headers={"Authorization": f"Bearer {KEY}"}) as answer:
        assert answer.status == 202, await answer.text()


async def sendgrid_httpx(client: httpx.AsyncClient, url: str, number: int) -> None:
    answer = await client.post(f"{url}/v3/mail/send", json=sendgrid_mail(number),
                               headers={"Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 202, answer.text


async def mailgun_aiohttp(client: aiohttp.ClientSession, url: str, number: int) -> None:
    form = aiohttp.FormData({"to": address(number)})
    form.add_field("message", mime(number), filename="message.eml", content_type="application/octet-stream")
    async with client.post(f"{url}/v3/{MAILGUN_DOMAIN}/messages.mime", data=form,
                           auth=aiohttp.BasicAuth("api", KEY)) as answer:
        assert answer.status == 200, await answer.text()
        await answer.json()


async def mailgun_httpx(client: httpx.AsyncClient, url: str, number: int) -> None:
    answer = await client.post(f"{url}/v3/{MAILGUN_DOMAIN}/messages.mime", data={"to": address(number)},
                               files={"message": ("message.eml", mime(number))}, auth=("api", KEY))
    assert answer.status_code == 200, answer.text
    answer.json()


async def ses_botocore(port: int, messages: int, connections: int) -> None:
    """The AWS SDK in threads, which is what its users have: it knows no asyncio."""
    client = botocore.session.Session().create_client(
        "sesv2", REGION, endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id=ID, aws_secret_access_key=SECRET,
        config=botocore.config.Config(max_pool_connections=connections, retries={"total_max_attempts": 1}))
    loop = asyncio.get_running_loop()

    def send(number: int) -> None:
        client.send_email(FromEmailAddress=f"{SENDER.name} <{SENDER.email}>",
                          Destination={"ToAddresses": [address(number)]}, Content={"Raw": {"Data": mime(number)}})

    async def post(number: int) -> None:
        await loop.run_in_executor(threads, send, number)

    with ThreadPoolExecutor(connections) as threads:
        await share(post, messages, connections)


BARE: dict[str, dict[str, Loop]] = {
    "smtp": {"aiosmtplib": smtp},
    "sendgrid": {"aiohttp": by_aiohttp(sendgrid_aiohttp), "httpx": by_httpx(sendgrid_httpx)},
    "ses": {"botocore in threads": ses_botocore},
    "mailgun": {"aiohttp": by_aiohttp(mailgun_aiohttp), "httpx": by_httpx(mailgun_httpx)},
}
"""By kind, and by the name of the library."""
