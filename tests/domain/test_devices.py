"""The change between two lists, and what can name a device."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.devices import Device, DeviceState, delta
from connector.domain.identifiers import is_device_number, masked

devices = st.lists(
    st.builds(
        Device, st.sampled_from(["101", "102", "103", "104"]), st.sampled_from(["", "DUPONT", "MARTIN"])
    ),
    unique_by=lambda device: device.number,
)


@given(devices, devices)
def test_a_delta_turns_the_old_list_into_the_new(old: list[Device], new: list[Device]) -> None:
    change = delta(old, new)
    result = {device.number: device for device in old if device.number not in change.removed}
    result |= {device.number: device for device in change.changed}
    assert result == {device.number: device for device in new}
    assert bool(change) == (set(old) != set(new))


def test_a_device_that_went_out_of_service_is_a_change() -> None:
    before = Device("101", state=DeviceState.IN_SERVICE)
    after = Device("101", state=DeviceState.OUT_OF_SERVICE)
    assert delta([before], [after]).changed == (after,)


@pytest.mark.parametrize(
    ("text", "good"), [("101", True), ("*21#", True), ("", False), ("1" * 17, False), ("10 1", False)]
)
def test_device_numbers(text: str, good: bool) -> None:
    assert is_device_number(text) is good


@pytest.mark.parametrize(
    ("number", "shown"), [("+33639980001", "********01"), ("101", "*01"), ("12", "**"), ("", "")]
)
def test_masked_numbers_keep_two_digits(number: str, shown: str) -> None:
    assert masked(number) == shown
