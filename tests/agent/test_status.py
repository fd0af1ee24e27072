"""The JSON of `GET /status`."""

from datetime import UTC, datetime, timedelta, timezone

from connector.agent.status import Status, instant
from connector.domain.alarms import Alarm
from connector.domain.credentials import Activation
from connector.domain.devices import DeviceState
from connector.domain.errors import DialError
from connector.domain.faults import FAULTS, FaultId
from connector.domain.identifiers import Channel
from connector.domain.links import LinkState, LinkStatus
from connector.domain.switch import Disabled, SwitchedBy

NINE = datetime(2026, 11, 20, 9, 0, 0, 123_456, tzinfo=UTC)


def test_the_whole_shape() -> None:
    refused = DialError(FaultId.CLOUD_UNREACHABLE, "agent.example:443", link="cloud")
    status = Status(
        version="0.1.0",
        pbx_id="PBX1",
        started_at=NINE,
        activation=Activation.ACTIVATED,
        links={
            "pbx": LinkStatus("pbx", LinkState.CONNECTED, NINE),
            "cloud": LinkStatus(
                "cloud", LinkState.WAITING, NINE, refused, NINE + timedelta(seconds=23), 4, down_since=NINE
            ),
        },
        channels={Channel.XMPP: True},
        devices={DeviceState.IN_SERVICE: 20, DeviceState.OUT_OF_SERVICE: 1, DeviceState.UNKNOWN: 2},
        devices_revision=5,
        calls_live=3,
        outbox_epoch="9f3c",
        outbox_last_seq=812,
        outbox_unacknowledged=7,
        outbox_lost_durable=1,
        outbox_unsafe_writes=2,
        outbox_quarantined=3,
        outbox_quarantine_dropped=4,
        invitations={"sent": 2},
        disabled=Disabled(NINE, SwitchedBy.CLOUD),
        alarms=[Alarm(FaultId.CLOCK_WRONG, NINE, 3, "+90 s")],
    )
    assert status.as_json() == {
        "schema_version": 1,
        "version": "0.1.0",
        "pbx_id": "PBX1",
        "started_at": "2026-11-20T09:00:00.123Z",
        "activation": "activated",
        "disabled": {"since": "2026-11-20T09:00:00.123Z", "by": "cloud"},
        "alarms": [
            {
                "fault": "clock-wrong",
                "since": "2026-11-20T09:00:00.123Z",
                "count": 3,
                "detail": "+90 s",
                "sentence": FAULTS[FaultId.CLOCK_WRONG].sentence,
                "remedy": FAULTS[FaultId.CLOCK_WRONG].remedy,
            }
        ],
        "links": {
            "pbx": {
                "state": "connected",
                "since": "2026-11-20T09:00:00.123Z",
                "down_since": None,
                "hop": None,
                "fault": None,
                "sentence": "",
                "remedy": "",
                "detail": "",
                "next_try_at": None,
                "reconnects": 0,
            },
            "cloud": {
                "state": "waiting",
                "since": "2026-11-20T09:00:00.123Z",
                "down_since": "2026-11-20T09:00:00.123Z",
                "hop": "TCP",
                "fault": "cloud-unreachable",
                "sentence": FAULTS[FaultId.CLOUD_UNREACHABLE].sentence,
                "remedy": FAULTS[FaultId.CLOUD_UNREACHABLE].remedy,
                "detail": "agent.example:443",
                "next_try_at": "2026-11-20T09:00:23.123Z",
                "reconnects": 4,
            },
        },
        "channels": {"xmpp": True, "conf": False, "csta": False, "http": False},
        "devices": {"total": 23, "in_service": 20, "out_of_service": 1, "revision": 5},
        "calls": {"live": 3},
        "outbox": {
            "epoch": "9f3c",
            "last_seq": 812,
            "unacknowledged": 7,
            "lost_durable": 1,
            "unsafe_writes": 2,
            "quarantined": 3,
            "quarantine_dropped": 4,
        },
        "invitations": {"sent": 2, "refused": 0, "failed": 0, "unknown": 0},
    }


def test_an_instant_of_another_zone_is_told_in_utc() -> None:
    paris = timezone(timedelta(hours=1))
    assert instant(datetime(2026, 11, 20, 10, 0, tzinfo=paris)) == "2026-11-20T09:00:00.000Z"
