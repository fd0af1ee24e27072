"""Device lists by pages and deltas."""

import itertools

import pytest

from connector.domain.devices import Device, DeviceState
from connector.wire.pcg.names import MAX_PAGES
from simulators.gateway.phonebook import MAX_DEVICES, ListRefused, PhoneBook

_ids = itertools.count(1)


def _new_id() -> str:
    return f"{next(_ids):024x}"


def _devices(*numbers: int) -> list[Device]:
    return [Device(str(number)) for number in numbers]


def _numbers(book: PhoneBook) -> list[str]:
    return [entry.device.number for entry in book.numbers()]


def test_a_list_is_in_force_when_its_last_page_came() -> None:
    book = PhoneBook()
    assert book.take_page((5, 1, 2), _devices(102), _new_id) is False
    assert (len(book), book.revision) == (0, None)
    assert book.take_page((5, 2, 2), _devices(101), _new_id) is True
    assert (_numbers(book), book.revision) == (["101", "102"], 5)


def test_pages_of_another_revision_start_anew() -> None:
    book = PhoneBook()
    book.take_page((5, 1, 2), _devices(101), _new_id)
    assert book.take_page((6, 2, 2), _devices(202), _new_id) is False
    assert book.take_page((6, 1, 2), _devices(201), _new_id) is True
    assert _numbers(book) == ["201", "202"]


def test_a_page_repeated_changes_nothing() -> None:
    book = PhoneBook()
    book.take_page((1, 1, 2), _devices(101), _new_id)
    book.take_page((1, 2, 2), _devices(102), _new_id)
    before = book.numbers()
    assert book.take_page((1, 2, 2), _devices(102), _new_id) is False
    assert book.numbers() == before


def test_a_number_keeps_its_id_over_lists_and_changes() -> None:
    book = PhoneBook()
    book.take_page((1, 1, 1), _devices(101, 102), _new_id)
    known = {entry.device.number: entry.id for entry in book.numbers()}
    book.take_change((1, 2), [Device("101", name="Doe"), Device("103")], ["102"], _new_id)
    after = {entry.device.number: entry.id for entry in book.numbers()}
    assert after["101"] == known["101"]
    assert sorted(after) == ["101", "103"]
    entry = book.find(known["101"])
    assert entry is not None
    assert entry.device.name == "Doe"
    assert book.find(known["102"]) is None


def test_a_change_of_another_base_is_refused_and_the_same_change_again_is_none() -> None:
    book = PhoneBook()
    book.take_page((1, 1, 1), _devices(101), _new_id)
    book.take_change((1, 2), _devices(102), [], _new_id)
    book.take_change((1, 2), _devices(102), [], _new_id)
    assert _numbers(book) == ["101", "102"]
    with pytest.raises(ListRefused) as refusal:
        book.take_change((1, 3), _devices(104), [], _new_id)
    assert refusal.value.condition == "item-not-found"
    assert book.revision == 2


@pytest.mark.parametrize("place", [(1, 0, 1), (1, 2, 1), (1, 1, MAX_PAGES + 1)])
def test_a_page_that_can_not_be_is_refused(place: tuple[int, int, int]) -> None:
    with pytest.raises(ListRefused) as refusal:
        PhoneBook().take_page(place, [], _new_id)
    assert refusal.value.condition == "bad-request"


def test_too_many_devices_are_refused_and_the_old_list_stays() -> None:
    book = PhoneBook()
    book.take_page((1, 1, 1), _devices(101), _new_id)
    with pytest.raises(ListRefused) as refusal:
        book.take_page((2, 1, 1), _devices(*range(MAX_DEVICES + 1)), _new_id)
    assert refusal.value.condition == "resource-constraint"
    assert (_numbers(book), book.revision) == (["101"], 1)


def test_states_are_counted() -> None:
    book = PhoneBook()
    devices = [Device("1", state=DeviceState.IN_SERVICE), Device("2", state=DeviceState.OUT_OF_SERVICE)]
    book.take_page((1, 1, 1), devices, _new_id)
    assert book.counts() == {
        DeviceState.IN_SERVICE: 1,
        DeviceState.OUT_OF_SERVICE: 1,
        DeviceState.UNKNOWN: 0,
    }
