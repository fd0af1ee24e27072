from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.invitations import InvitationOptions
from simulators.rva.inbox import DeliveryState, Message, SmsInbox

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def message(number: int, to: str = "+33639980001", agent: str = "anna") -> Message:
    return Message(
        id=f"m-{number}",
        to=to,
        agent=agent,
        options=InvitationOptions(),
        at=AT + timedelta(seconds=number),
        token=f"t-{number}",
        link=f"https://hub/guest/t-{number}",
        text=f"Open https://hub/guest/t-{number}",
    )


def filled(*messages: Message, limit: int = 3) -> SmsInbox:
    inbox = SmsInbox(limit)
    for one in messages:
        inbox.accept(one)
    return inbox


def test_newest_first_and_the_oldest_goes_with_its_token() -> None:
    inbox = filled(*(message(number) for number in range(4)))
    assert [one.id for one in inbox.messages()] == ["m-3", "m-2", "m-1"]
    assert len(inbox) == 3
    assert inbox.by_token("t-0") is None
    found = inbox.by_token("t-1")
    assert found is not None
    assert found.id == "m-1"


def test_a_delivery_is_seen_everywhere_and_keeps_the_order() -> None:
    inbox = filled(message(0), message(1))
    inbox.deliver("m-0")
    assert [one.state for one in inbox.messages()] == [DeliveryState.ACCEPTED, DeliveryState.DELIVERED]
    found = inbox.by_token("t-0")
    assert found is not None
    assert found.state is DeliveryState.DELIVERED


def test_a_late_delivery_of_a_forgotten_message_changes_nothing() -> None:
    inbox = filled(*(message(number) for number in range(4)))
    inbox.deliver("m-0")
    assert [one.state for one in inbox.messages()] == [DeliveryState.ACCEPTED] * 3


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        ("", ["m-1", "m-0"]),
        ("99800", ["m-0"]),
        (" T-1 ", ["m-1"]),
        ("BERTA", ["m-1"]),
        ("nobody", []),
        ("0001\nopen", ["m-0"]),
    ],
)
def test_search(search: str, ids: list[str]) -> None:
    inbox = filled(message(0), message(1, "+447700900123", "berta"))
    assert [one.id for one in inbox.messages(search)] == ids


def test_a_watcher_hears_of_each_change_until_it_stops() -> None:
    inbox = SmsInbox()
    heard: list[tuple[str, DeliveryState]] = []
    stop = inbox.watch(lambda one: heard.append((one.id, one.state)))
    inbox.accept(message(0))
    inbox.deliver("m-0")
    stop()
    inbox.accept(message(1))
    assert heard == [("m-0", DeliveryState.ACCEPTED), ("m-0", DeliveryState.DELIVERED)]
