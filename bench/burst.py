"""Messages as fast as they are acknowledged, from one connection; the same sender for every server."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import monotonic

from bench.light_agent import EPOCH, LightAgent
from connector.domain.calls import ConnectionId, Delivered, LocalState, Party, Reach
from connector.wire.pcg import csta

# Stanzas that stand unacknowledged by stream management: half of what the client's machine keeps.
WINDOW = 512
# Stanzas of one write.
BATCH = 32
_STEP_SECONDS = 60.0
_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def events(count: int, first: int = 1) -> list[str]:
    """The payloads of call events, numbered from `first`: 700 characters each, as the agent sends them."""
    body = csta.event_body(
        Delivered(
            device="3001",
            connection=ConnectionId("77", "3001"),
            state=LocalState.ALERTING,
            cause=None,
            at=_AT,
            alerting=Party("3001", Reach.INTERNAL),
            calling=Party("0639980001", Reach.EXTERNAL),
            called=Party("3001", Reach.INTERNAL),
        )
    )
    return [
        csta.event_payload(
            csta.EventHead(EPOCH, seq, durable=False, device="3001", call="c-1", time=_AT), body
        )
        for seq in range(first, first + count)
    ]


async def send_all(sender: LightAgent, payloads: Sequence[str], to: str = "") -> None:
    """Send, and return when stream management has acknowledged everything."""
    for start in range(0, len(payloads), BATCH):
        await _until(sender, lambda: sender.machine.unacked_count <= WINDOW - BATCH)
        sender.post(payloads[start : start + BATCH], to)
        await asyncio.sleep(0)
    sender.machine.request_ack()
    sender.send_pending()
    await _until(sender, lambda: sender.machine.unacked_count == 0)


async def rate_at_gateway(sender: LightAgent, payloads: Sequence[str], last: int) -> float:
    """Events a second, until our gateway has acknowledged the event `last` as well."""
    began = monotonic()
    await send_all(sender, payloads)
    await _until(sender, lambda: sender.acknowledged >= last)
    return len(payloads) / (monotonic() - began)


async def rate_between(sender: LightAgent, receiver: LightAgent, payloads: Sequence[str]) -> float:
    """Messages a second, until the receiver has them all."""
    began, before = monotonic(), receiver.messages
    await send_all(sender, payloads, receiver.jid)
    await _until(receiver, lambda: receiver.messages - before >= len(payloads))
    return len(payloads) / (monotonic() - began)


async def _until(agent: LightAgent, is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(_STEP_SECONDS):
        while not is_so():
            agent.progress.clear()
            await agent.progress.wait()
