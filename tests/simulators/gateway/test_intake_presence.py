"""Presence as the agent tells it."""

from connector.domain.presence import Presence, PresenceState
from connector.wire.pcg.presence import presences
from simulators.gateway.journal import Kind
from tests.simulators.gateway.agents import NOON
from tests.simulators.gateway.test_session import Bench


def test_the_newest_presence_of_each_device_is_kept() -> None:
    bench = Bench()
    agent, session = bench.join("4711")
    first, second = list(PresenceState)[:2]
    for state in (first, second):
        for payload in presences([Presence("3001", state, NOON)]):
            agent.say(payload)
    bench.run(agent, session)
    assert bench.system.presences == {"3001": second}
    assert bench.names(Kind.REFUSED) == []
