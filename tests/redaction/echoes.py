"""Servers that say back everything they were told, in every form that they can think of, within an error."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote


def quoted(said: bytes) -> str:
    """What was said, and what was meant by it: plainly, and encoded."""
    words = said.decode(errors="replace").split()
    meant = [word if _decoded(word) == "" else _decoded(word) for word in words]
    each = [form for text in (*meant, " ".join(meant))
            for form in (text, quote(text, safe=""), text.encode().hex(), base64.b64encode(text.encode()).decode())]
    return " ".join([*words, *each]).replace("\0", " ")


def _decoded(word: str) -> str:
    try:
        return base64.b64decode(word, validate=True).decode()
    except ValueError:
        return ""


@asynccontextmanager
async def http_echo(status: int) -> AsyncIterator[int]:
    """Answers every request with this status, and with the request's credentials in all the places an answer has."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(65_536)
        secrets = [line.partition(b": ")[2] for line in head.split(b"\r\n")
                   if line.lower().startswith((b"authorization", b"x-amz-security-token"))]
        words = quoted(b" ".join(secrets))
        body = (f'{{"message": "Invalid key: {words}", "errors": [{{"message": "{words}", "field": null}}], '
                f'"__type": "{words[:80]}", "Message": "{words}"}}').encode(errors="replace")
        writer.write(f"HTTP/1.1 {status} No\r\nX-Amzn-ErrorType: {words[:80]}\r\nX-Message-Id: {words[:200]}\r\n"
                     f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode("latin-1", "replace") + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def smtp_echo(mechanism: str, *, let_in: bool) -> AsyncIterator[int]:
    """A relay whose answers hold all that it was told to log in; it refuses the login, or else every mail."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told, asked = b"", 0

        async def say(text: str) -> bytes:
            writer.write(f"{text}\r\n".encode(errors="replace"))
            return await reader.readline()

        line = await say("220 echo ESMTP")
        while line:
            verb = line[:4].upper()
            if verb == b"EHLO":
                line = await say(f"250-echo\r\n250 AUTH {mechanism}")
            elif verb == b"AUTH" or asked:
                told, asked = told + line, asked + 1
                more = mechanism == "LOGIN" and asked < (2 if len(told.split(b"\r\n")[0].split()) > 2 else 3)
                end = f"{235 if let_in else 535} 5.7.8 {quoted(told)}"[:4_000]
                line = await say("334 VXNlcm5hbWU6" if more else end)
                asked = asked if more else 0
            else:
                line = await say(f"554 5.7.1 {quoted(told)}"[:4_000])
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
