"""Damaged frames in the middle of a session: answers, refusals or the stream's end, but no exception."""

import random
import re

import pytest

from connector.domain.devices import Device, DeviceDelta
from connector.wire.pcg import csta, devices, ecma323
from connector.wire.xmpp.stanzas import iq, message
from simulators.gateway.gateway import Gateway, Options
from simulators.gateway.session import AgentSession
from simulators.gateway.systems import Profile, SystemType
from tests.simulators.gateway.agents import (
    DOMAIN,
    EPOCH,
    NOON,
    Agent,
    VirtualClock,
    device_pages,
    event_payload,
    status_payload,
)

PIECES = ("<", ">", "/", '"', "&#0;", "&amp;", "\ufffd", "\x00", "9" * 40, "-1", "xmlns", "🙂", "</iq>", "")


def _frames() -> list[str]:
    """One good frame of each kind that an agent sends."""
    change = devices.DevicesChange(2, 1, DeviceDelta((Device("2000"),), ("1000",)))
    requests = [
        *device_pages([Device("1000"), Device("1001")], 1),
        devices.devices_change(change),
        status_payload(ecma323.SystemStatus.NORMAL),
        csta.snapshot(csta.snapshot_pages([], NOON)[0]),
    ]
    messages = [event_payload(7), csta.gap(csta.Gap(EPOCH, 8, 9, durable=True, count=2, reason="overflow"))]
    answers = [iq("result", "x1", DOMAIN), iq("error", "x2", DOMAIN)]
    return [
        *(iq("set", f"f{index}", DOMAIN, payload) for index, payload in enumerate(requests)),
        *(message("", DOMAIN, payload) for payload in messages),
        *answers,
    ]


def _damaged(frame: str, source: random.Random) -> str:
    for _ in range(source.randint(1, 4)):
        start = source.randrange(len(frame) + 1)
        frame = frame[:start] + source.choice(PIECES) + frame[start + source.randint(0, 12) :]
    return frame


def _twisted(frame: str, source: random.Random) -> str:
    """Still XML, but one value in it is another."""
    values = re.compile(r'(?<=[a-z]=")(?!jabber|urn|http)[^"]*(?=")|(?<=>)[^<]+(?=<)')
    # What stands in the stanza itself is the stream's business, and ends it.
    spots = list(values.finditer(frame, frame.index(">")))
    if not spots:
        return frame
    spot = source.choice(spots)
    value = source.choice(["", "-1", "0", "9" * 30, "x" * 300, "1e5", "true", "2026-13-40", "&lt;", "🙂"])
    return frame[: spot.start()] + value + frame[spot.end() :]


def _greeted(seed: int) -> tuple[Gateway, AgentSession, VirtualClock]:
    """A session whose agent is logged in and greeted, and what is around it."""
    clock = VirtualClock()
    gateway = Gateway(Options(DOMAIN), clock, random.Random(seed).randbytes)
    profile = Profile(name="Lyon", type=SystemType.OXE, site_id="s1")
    gateway.create_system(profile, pbx_id="PBX1", activation_code="4711")
    session, agent = gateway.open_session(lambda: None), Agent("pbx1", "4711")
    agent.client.start(clock.seconds)
    for _ in range(12):
        for frame in agent.client.to_send():
            session.receive(frame, clock.seconds)
        for frame in session.to_send():
            agent.client.receive(frame, clock.seconds)
        agent.follow(clock.seconds)
    assert "req" in agent.asked
    return gateway, session, clock


@pytest.mark.parametrize("seed", range(40))
def test_damaged_frames_never_raise(seed: int) -> None:
    source = random.Random(seed)
    gateway, session, clock = _greeted(seed)
    frames = _frames()
    for step in range(60):
        clock.seconds += source.random() / 10
        harm = _damaged if step > 40 else _twisted
        session.receive(harm(source.choice(frames), source), clock.seconds)
        session.to_send()
        deadline = session.deadline()
        if deadline is not None and deadline <= clock.seconds:
            session.tick(clock.seconds)
        if session.is_closed:
            break
    session.receive_eof(clock.seconds)
    assert session.is_closed
    # What was kept is told by name, or by what is wrong with it.
    assert all(entry.name or "error" in entry.values for entry in gateway.journal if entry.raw)
