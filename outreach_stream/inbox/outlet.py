"""How replies leave: at once, late, or drop by drop; and how a connection ends that is not ended politely."""

import asyncio
import socket
import struct
from collections import deque

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: `close` then sends RST instead of FIN."""


class Outlet:
    """The sending side of one connection."""

    def __init__(self, transport: asyncio.Transport, latency: float) -> None:
        self._transport = transport
        self._latency = latency
        self._drops: deque[tuple[bytes, float]] = deque()
        self._dripping: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    def write(self, data: bytes, *, close: bool = False, drip: float = 0.0) -> None:
        """Send `data` after what was sent before, each byte `drip` seconds after the other; then maybe close."""
        if self._latency:
            self._loop.call_later(self._latency, self._write, data, close, drip)
        else:
            self._write(data, close, drip)

    def reset(self) -> None:
        """End with RST, as a machine does that has lost the connection."""
        sock: socket.socket = self._transport.get_extra_info("socket")
        if not self._transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def _write(self, data: bytes, close: bool, drip: float) -> None:
        if self._transport.is_closing():
            return
        if drip or self._dripping:
            self._drops.append((data, drip))
            if close:
                self._drops.append((b"", 0.0))
            self._dripping = self._dripping or self._loop.create_task(self._drip())
            return
        self._transport.write(data)
        if close:
            self._transport.close()

    async def _drip(self) -> None:
        while self._drops and not self._transport.is_closing():
            data, seconds = self._drops.popleft()
            if not data:
                self._transport.close()
            elif not seconds:
                self._transport.write(data)
            else:
                await self._spell(data, seconds)
        self._dripping = None

    async def _spell(self, data: bytes, seconds: float) -> None:
        for byte in data:
            await asyncio.sleep(seconds)
            if not self._transport.is_closing():
                self._transport.write(bytes([byte]))
