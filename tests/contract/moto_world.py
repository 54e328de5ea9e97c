"""SES as `moto` knows it: an SES that is not ours, which accepts, and checks that the sender is verified."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from moto.ses import ses_backends

from outreach_stream.domain.ports import Engine
from outreach_stream.engines import registry

REGION = "eu-central-1"


class MotoWorld:
    """The engine `ses`, and moto. It cannot be told how to answer."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def engine(self, *, concurrency: int = 5, reachable: bool = True) -> Engine:
        port = self._port if reachable else _nobodys()
        told: dict[str, Any] = {
            "id": "ses", "kind": "ses", "base_url": f"http://127.0.0.1:{port}", "region": REGION, "rate": 1_000,
            "access_key_id": "AKIACONTRACT", "secret_access_key": "env:CONTRACT_RIGHT", "concurrency": concurrency}
        return registry.build(registry.engine_from(told))

    def received(self) -> list[str]:
        """In order. moto adds those of the To header, so that each stands there twice."""
        return [mail.destinations[0] for mail in self._backend.sent_messages]

    @property
    def attempts(self) -> int:
        """Those that it accepted: it counts no others."""
        return len(self._backend.sent_messages)

    @property
    def _backend(self) -> Any:
        return ses_backends[DEFAULT_ACCOUNT_ID][REGION]

    def verify(self, sender: str) -> None:
        """Only then may it send."""
        self._backend.verify_email_identity(sender)


@contextmanager
def moto() -> Iterator[MotoWorld]:
    """A server of its own, empty."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        world = MotoWorld(server._server.server_port)
        httpx.post(f"http://127.0.0.1:{world._port}/moto-api/reset", trust_env=False).raise_for_status()
        world.verify("news@s.example")
        yield world
    finally:
        server.stop()


def _nobodys() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
