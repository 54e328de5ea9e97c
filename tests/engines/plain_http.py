"""The least that a provider can be: for tests of what all HTTP engines share."""

from typing import Literal

from outreach_stream.domain.outcomes import Accepted, EngineStopped, MessageRejected
from outreach_stream.engines.http_config import HttpConfig
from outreach_stream.engines.http_engine import HttpEngine
from outreach_stream.engines.http_wire import Request
from tests.messages import raw

MAIL = raw("<1@s.example>", "news@s.example", "joe@r.example")


class PlainConfig(HttpConfig):
    kind: Literal["plain"] = "plain"


class Plain:
    rate = None

    def __init__(self, *, key: str = "k", body: bytes = b"{}", asks: bool = False) -> None:
        self.key, self.body, self.asks = key, body, asks
        self.prepared = 0
        self.refusal = None

    async def prepare(self, ask):
        self.prepared += 1
        if self.asks:
            self.asked = await ask(Request("GET", "/quota"))
        return self.refusal

    def request(self, message):
        return Request("POST", "/send", {"Authorization": self.key}, self.body)

    def outcome(self, answer):
        if answer.status == 401:
            return EngineStopped("send_401")
        return Accepted(answer.body.decode()) if answer.status == 200 else MessageRejected(f"send_{answer.status}")


def engine_at(port: int, provider: Plain | None = None, *, scheme: str = "http", host: str = "127.0.0.1",
              **config) -> HttpEngine:
    told = {"id": "plain", "base_url": f"{scheme}://{host}:{port}",
            "timeouts": {"connect": "500ms", "answer": "500ms"}} | config
    return HttpEngine(PlainConfig.model_validate(told), provider or Plain())
