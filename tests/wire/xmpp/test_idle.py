"""What an idle stream says: a fleet of thousands says little else."""

from connector.wire.xmpp import xep0198
from connector.wire.xmpp.resumable import ACK_REQUEST_STANZAS
from connector.wire.xmpp.stanzas import presence
from tests.wire.xmpp.pair import Pair, make_server, ready_pair


def kinds(frames: list[str]) -> list[str]:
    return [frame.split()[0].strip("</>") for frame in frames]


def idle_pair() -> Pair:
    pair = ready_pair(make_server())
    pair.advance(1)
    return pair


def test_a_ping_and_its_acknowledgement_take_one_exchange() -> None:
    pair = idle_pair()
    pair.advance(100)  # the server pings every 40 s
    assert kinds(pair.to_client) == ["iq", "r"] * 2
    assert kinds(pair.to_server) == ["iq", "a"] * 2
    assert pair.server.unacked_count == 0


def test_answers_to_pings_are_acknowledged_with_what_follows() -> None:
    pair = idle_pair()
    pair.advance(100)
    assert pair.client.unacked_count == 2
    pair.client.send(presence())
    pair.advance(10)
    assert pair.to_server[-1] == xep0198.REQUEST
    assert pair.client.unacked_count == 0


def test_answers_to_pings_do_not_pile_up() -> None:
    pair = idle_pair()
    pair.advance(40.0 * (ACK_REQUEST_STANZAS + 1))
    assert kinds(pair.to_server).count("r") == 1
    assert pair.client.unacked_count <= 1


def test_an_idle_stream_wants_to_be_woken_only_when_something_is_due() -> None:
    pair = idle_pair()
    for _ in range(20):
        deadline = pair.server.deadline()
        assert deadline is not None
        assert deadline > pair.now
        pair.now = deadline
        pair.server.tick(pair.now)
        pair.run()
