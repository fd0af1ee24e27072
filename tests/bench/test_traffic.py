"""The benchmarks' events are what they are said to be: else their figures would be of something else."""

from collections.abc import Iterable
from datetime import UTC, datetime

from bench import traffic
from connector.domain.call_model import CallEnd, CallModel
from connector.domain.calls import CallEvent, ConnectionCleared, Delivered, Established
from connector.pbx.csta import mapping
from connector.wire.csta import codec
from connector.wire.csta.messages import EventReport

_AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def decoded(frames: Iterable[bytes]) -> list[CallEvent]:
    events = []
    for frame in frames:
        report = codec.decode(frame[2:])
        assert isinstance(report, EventReport)
        events.append(mapping.call_event(report, str(int.from_bytes(report.cross_ref, "big")), _AT))
    return events


def test_durable_traffic_is_the_end_of_another_call_each_time() -> None:
    events = decoded(traffic.durable(200, first_call=70_000))
    assert {type(event) for event in events} == {ConnectionCleared}
    assert len({event.correlation for event in events}) == 200
    assert {event.device for event in events} == set(traffic.DEVICES)


def test_mixed_traffic_is_whole_calls() -> None:
    per_round = 3 * len(traffic.DEVICES)
    events = decoded(traffic.mixed(2 * per_round, first_call=0))
    assert [type(event) for event in events[:: len(traffic.DEVICES)]] == 2 * [
        Delivered,
        Established,
        ConnectionCleared,
    ]
    ids = iter(range(1_000))
    model = CallModel(lambda: f"c-{next(ids)}")
    updates = [model.apply(event, 0.0) for event in events]
    assert sum(update.is_first for update in updates) == 2 * len(traffic.DEVICES)
    assert [update.end for update in updates if update.end] == [CallEnd.ANSWERED] * (2 * len(traffic.DEVICES))
    assert len(model) == 0


def test_traffic_ends_where_it_was_told_to() -> None:
    assert len(list(traffic.mixed(100, first_call=0))) == 100
    assert len(list(traffic.ringing(5))) == 5
