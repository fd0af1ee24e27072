"""Every fault of a link has its place on the way."""

import pytest

from connector.domain.faults import FaultId
from connector.domain.hops import Hop, hop_of

LINK_FAULTS = [fault for fault in FaultId if fault.split("-")[0] in ("cloud", "pbx", "proxy", "tls")]


@pytest.mark.parametrize("fault", LINK_FAULTS)
def test_no_fault_of_a_link_is_blamed_on_this_agent(fault: FaultId) -> None:
    assert hop_of(fault) is not Hop.AGENT


@pytest.mark.parametrize("fault", [fault for fault in FaultId if fault.startswith("proxy-")])
def test_a_proxys_fault_is_the_proxys(fault: FaultId) -> None:
    assert hop_of(fault) is Hop.PROXY


@pytest.mark.parametrize(
    ("fault", "hop"),
    [
        (FaultId.CLOUD_NAME_UNKNOWN, Hop.NAME),
        (FaultId.CLOUD_UNREACHABLE, Hop.TCP),
        (FaultId.CLOUD_CERTIFICATE_EXPIRED, Hop.TLS),
        (FaultId.TLS_INTERCEPTED, Hop.TLS),
        (FaultId.CLOUD_NOT_WEBSOCKET, Hop.WEBSOCKET),
        (FaultId.CLOUD_NOT_AUTHORIZED, Hop.LOGIN),
        (FaultId.CLOUD_SILENT, Hop.GATEWAY),
        (FaultId.PBX_UNREACHABLE, Hop.TCP),
        (FaultId.PBX_ASSOCIATION_REFUSED, Hop.PBX),
        (FaultId.STORE_UNUSABLE, Hop.AGENT),
    ],
)
def test_each_step_has_its_faults(fault: FaultId, hop: Hop) -> None:
    assert hop_of(fault) is hop
