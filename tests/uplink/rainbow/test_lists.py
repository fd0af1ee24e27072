"""Device lists over a session: page after page, each waiting for the answer of the one before."""

import pytest

from connector.domain.cloud import ListOutcome
from connector.domain.devices import Device, DeviceDelta, DeviceState
from connector.domain.errors import Overflow
from connector.uplink.rainbow.lists import ListTransfer, send_change
from connector.wire.pcg import csta, devices
from connector.wire.pcg.devices import DevicesChange, DevicesPage
from tests.uplink.rainbow.far_end import FarEnd, greeted

LIST = [Device(str(number), state=DeviceState.IN_SERVICE) for number in range(1000, 1401)]
CHANGE = DeviceDelta((Device("1000"),), ("1001",))
GAP = csta.Gap("9f3c", 1, 1, durable=False, count=1, reason="link-down")


def begin(end: FarEnd, listed: list[Device]) -> list[ListOutcome]:
    """Send a list; what came of it, once it is known."""
    outcomes: list[ListOutcome] = []
    ListTransfer(end.session, listed, 5, outcomes.append).send_next()
    end.run()
    return outcomes


def asked(end: FarEnd) -> DevicesPage | DevicesChange:
    """The one page or change that waits for an answer."""
    (stanza,) = end.asked
    assert stanza.payload is not None
    return devices.read_device_report(stanza.payload)


def test_the_next_page_goes_only_after_the_answer() -> None:
    end = greeted()
    outcomes = begin(end, LIST)
    seen: list[Device] = []
    for number in (1, 2, 3):
        page = asked(end)
        assert isinstance(page, DevicesPage)
        assert (page.revision, page.page, page.pages) == (5, number, 3)
        seen += page.devices
        assert outcomes == []
        end.answer()
    assert seen == LIST
    assert outcomes == [ListOutcome.STORED]


def test_no_device_at_all_is_one_empty_page() -> None:
    end = greeted()
    outcomes = begin(end, [])
    page = asked(end)
    assert isinstance(page, DevicesPage)
    assert page.devices == ()
    end.answer()
    assert outcomes == [ListOutcome.STORED]


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ("item-not-found", ListOutcome.BASE_UNKNOWN),
        ("not-acceptable", ListOutcome.REFUSED),
        ("internal-server-error", ListOutcome.REFUSED),
    ],
)
def test_a_refused_page_ends_the_transfer(condition: str, outcome: ListOutcome) -> None:
    end = greeted()
    outcomes = begin(end, LIST)
    end.answer()
    end.refuse(condition)
    assert outcomes == [outcome]
    assert end.asked == []


def test_a_page_without_an_answer_ends_the_transfer() -> None:
    end = greeted()
    outcomes = begin(end, LIST)
    end.advance(31)
    assert outcomes == [ListOutcome.REFUSED]


def test_a_change_names_its_base_and_a_gateway_that_lost_it_says_so() -> None:
    end = greeted()
    outcomes: list[ListOutcome] = []
    send_change(end.session, CHANGE, 6, 5, outcomes.append)
    end.run()
    assert asked(end) == DevicesChange(6, 5, CHANGE)
    end.refuse("item-not-found")
    assert outcomes == [ListOutcome.BASE_UNKNOWN]


def test_a_change_that_no_stanza_can_hold_becomes_a_whole_list() -> None:
    end = greeted()
    outcomes: list[ListOutcome] = []
    # 200 devices with the longest names that a list may carry, all of which grow when they are escaped.
    large = DeviceDelta(tuple(Device(str(number), "&" * 128, "&" * 128) for number in range(200)), ())
    send_change(end.session, large, 6, 5, outcomes.append)
    end.run()
    assert outcomes == [ListOutcome.BASE_UNKNOWN]
    assert end.asked == []


def test_a_list_that_meets_a_gateway_without_acknowledgements_ends_the_session_quietly() -> None:
    end = greeted()
    begin(end, LIST)
    (page,) = end.asked
    frame = f'<iq xmlns="jabber:client" type="result" id="{page.id}" from="{page.to}"/>'
    while end.session.is_open:
        try:
            end.session.say(csta.gap(GAP))
        except Overflow:
            break
    end.throw(frame)
    assert not end.session.is_open
