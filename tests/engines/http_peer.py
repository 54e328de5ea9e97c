"""Servers that say exactly what a test wants, byte by byte."""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

from outreach_stream.engines.http_wire import HttpWire


@asynccontextmanager
async def peer(serve, *, tls=None, sock=None):
    """Runs `serve(reader, writer)` for each connection; gives the port. Connections end with the test."""
    running = set()

    async def run(reader, writer):
        running.add(task := asyncio.current_task())
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            running.discard(task)
            writer.transport.abort()

    sock = sock or socket.create_server(("127.0.0.1", 0))
    server = await asyncio.start_server(run, sock=sock, ssl=tls, limit=1_024)
    try:
        yield sock.getsockname()[1]
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.sleep(0)


async def request_from(reader) -> tuple[str, bytes]:
    """One request: its head, and the body that its Content-Length announces."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lengths = [line.partition(":")[2] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
    return head, await reader.readexactly(int(lengths[0]) if lengths else 0)


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer that leaves the connection open."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def narrow() -> socket.socket:
    """Takes little before somebody reads."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


async def wire_to(port: int, tls=None) -> HttpWire:
    _, wire = await asyncio.get_running_loop().create_connection(
        lambda: HttpWire("api.example"), "127.0.0.1", port, ssl=tls)
    return wire
