"""The acknowledgement with ranges above its number, and the one without, of an older gateway."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.errors import RemoteProtocolError
from connector.wire.pcg import csta
from connector.wire.xmpp.xml import parse

HEAD = '<ack xmlns="urn:oxbridge:csta:1" epoch="9f3c" seq="812"'


@st.composite
def acknowledgements(draw: st.DrawFn) -> csta.Acknowledgement:
    seq = upto = draw(st.integers(0, 2**40))
    held: list[tuple[int, int]] = []
    for _ in range(draw(st.integers(0, csta.MAX_HELD_RANGES))):
        first = upto + draw(st.integers(2, 1_000))
        upto = first + draw(st.integers(0, 1_000))
        held.append((first, upto))
    return csta.Acknowledgement("9f3c", seq, tuple(held))


@given(acknowledgements())
def test_what_is_written_is_read(ack: csta.Acknowledgement) -> None:
    assert csta.read_acknowledgement(parse(csta.acknowledgement(ack))) == ack


def test_the_form_on_the_wire() -> None:
    ack = csta.Acknowledgement("9f3c", 812, ((900, 910), (915, 915)))
    assert csta.acknowledgement(ack) == (
        HEAD + '><held from="900" to="910"/><held from="915" to="915"/></ack>'
    )
    assert csta.acknowledgement(csta.Acknowledgement("9f3c", 812)) == HEAD + "/>"


@pytest.mark.parametrize(
    "held",
    [
        '<held from="812" to="900"/>',
        '<held from="813" to="900"/>',
        '<held from="910" to="900"/>',
        '<held from="900" to="910"/><held from="911" to="920"/>',
        '<held from="900" to="910"/><held from="820" to="830"/>',
        '<held from="900"/>',
        '<held from="x" to="900"/>',
        f'<held from="900" to="{2**63}"/>',
        "".join(f'<held from="{n}" to="{n}"/>' for n in range(900, 918, 2)),
    ],
)
def test_ranges_that_cannot_be_are_refused(held: str) -> None:
    with pytest.raises(RemoteProtocolError):
        csta.read_acknowledgement(parse(f"{HEAD}>{held}</ack>"))
