"""The conf channel (docs/protocols/pcg.md, section 2): hello, access code, settings, monitors.

Writers give the payload of an iq, readers take it. A payload that breaks the protocol raises
`RemoteProtocolError`. The device list and the content of the settings have modules of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from xml.etree.ElementTree import Element

from connector.domain.configuration import MonitorRefusal
from connector.wire.pcg.devices import DevicesRequest, read_devices_request
from connector.wire.pcg.fields import (
    boolean_field,
    broken,
    children,
    expect,
    integer_field,
    optional_field,
    text_field,
    time_field,
    timestamp,
)
from connector.wire.pcg.names import (
    CONF,
    DIALECT_VERSION,
    MAX_CODE_CHARS,
    MAX_DEVICES_PER_PAGE,
    MAX_ID_CHARS,
    MAX_NUMBER_CHARS,
    MAX_WORD_CHARS,
)
from connector.wire.pcg.paging import page_of, paged
from connector.wire.xmpp.xml import attributes

_CLAUSE = "protocol, section 2"
# A version is announced so that a later one can be told apart; more would be no version of ours.
_MAX_VERSION = 1_000


class DisconnectReason(StrEnum):
    """Why the gateway ends the link. Reset and delete void the access code."""

    RESET = "reset"
    DELETE = "delete"
    DISABLE = "disable"
    REPLACED = "replaced"

    @property
    def voids_access(self) -> bool:
        """Whether the agent has to forget its access code."""
        return self in {DisconnectReason.RESET, DisconnectReason.DELETE}


@dataclass(frozen=True, slots=True)
class HelloRequest:
    """The gateway opens the channel. `system` is its id of this PBX, `time` its clock (UTC)."""

    system: str
    time: datetime
    version: int = DIALECT_VERSION


@dataclass(frozen=True, slots=True)
class HelloResponse:
    """The agent answers. `epoch` and `last` are the outbox's identity and its newest sequence number."""

    agent: str
    pbx: str
    epoch: str
    last: int
    pbx_version: str = ""
    version: int = DIALECT_VERSION


@dataclass(frozen=True, slots=True)
class Access:
    """The private access code that the gateway proposes."""

    transaction: str
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole set of `revision`, replacing what the agent has; `settings` reads its content."""

    revision: int
    content: Element


@dataclass(frozen=True, slots=True)
class Monitor:
    """One number and the user linked to it, empty if there is none."""

    number: str
    user: str = ""
    is_on: bool = True


@dataclass(frozen=True, slots=True)
class MonitorsPage:
    """A page of the whole set of monitored numbers; `page` counts from 1 to `pages`."""

    monitors: tuple[Monitor, ...]
    page: int = 1
    pages: int = 1


@dataclass(frozen=True, slots=True)
class RefusedMonitor:
    """A number of a set that could not be monitored."""

    number: str
    reason: MonitorRefusal


@dataclass(frozen=True, slots=True)
class MonitorsResult:
    """The agent's answer to a page of monitors: everything not named here is in force."""

    refused: tuple[RefusedMonitor, ...] = ()


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The gateway ends the link and says why."""

    reason: DisconnectReason


Command = HelloRequest | Access | Settings | DevicesRequest | MonitorsPage | Disconnect


def hello_request(hello: HelloRequest) -> str:
    """G → A, set."""
    fields = attributes(version=str(hello.version), system=hello.system, time=timestamp(hello.time))
    return f'<hello xmlns="{CONF}"{fields}/>'


def hello_response(hello: HelloResponse) -> str:
    """A → G, the result of `hello_request`."""
    fields = attributes(
        version=str(hello.version),
        agent=hello.agent,
        pbx=hello.pbx,
        pbx_version=hello.pbx_version or None,
        epoch=hello.epoch,
        last=str(hello.last),
    )
    return f'<hello xmlns="{CONF}"{fields}/>'


def access(proposal: Access) -> str:
    """G → A, set. Only a result that says "stored" makes the code valid at the gateway."""
    return f'<access xmlns="{CONF}"{attributes(transaction=proposal.transaction, code=proposal.code)}/>'


def monitor_pages(monitors: Sequence[Monitor]) -> list[MonitorsPage]:
    """The whole set in pages that each fit a frame; an empty set is one empty page."""
    cut = paged(monitors, _monitor, limit=MAX_DEVICES_PER_PAGE)
    return [MonitorsPage(tuple(page), number, len(cut)) for number, page in enumerate(cut, start=1)]


def monitors(page: MonitorsPage) -> str:
    """G → A, set: a page as `monitor_pages` made it."""
    fields = attributes(page=str(page.page), pages=str(page.pages))
    return f'<monitors xmlns="{CONF}"{fields}>{"".join(map(_monitor, page.monitors))}</monitors>'


def monitors_result(result: MonitorsResult) -> str:
    """A → G, the result of `monitors`."""
    refused = "".join(
        f"<monitor{attributes(number=one.number, reason=one.reason.value)}/>" for one in result.refused
    )
    return f'<monitors xmlns="{CONF}">{refused}</monitors>'


def disconnect(order: Disconnect) -> str:
    """G → A, set."""
    return f'<disconnect xmlns="{CONF}" reason="{order.reason.value}"/>'


def read_command(payload: Element) -> Command:
    """What the gateway asks of the agent. The caller checks the iq's type: `<devices/>` comes in a get."""
    reader = _COMMANDS.get(payload.tag)
    if reader is None:
        raise broken(payload, "is no element of the conf channel", _CLAUSE)
    return reader(payload)


def read_hello_response(payload: Element) -> HelloResponse:
    """The agent's answer to hello."""
    expect(payload, CONF, "hello", _CLAUSE)
    return HelloResponse(
        agent=text_field(payload, "agent", _CLAUSE, limit=MAX_WORD_CHARS),
        pbx=text_field(payload, "pbx", _CLAUSE, limit=MAX_WORD_CHARS),
        epoch=text_field(payload, "epoch", _CLAUSE),
        last=integer_field(payload, "last", _CLAUSE),
        pbx_version=optional_field(payload, "pbx-version", _CLAUSE),
        version=integer_field(payload, "version", _CLAUSE, low=1, high=_MAX_VERSION),
    )


def read_monitors_result(payload: Element) -> MonitorsResult:
    """The agent's answer to a page of monitors. A reason that we do not know is read as `refused`."""
    expect(payload, CONF, "monitors", _CLAUSE)
    refused = children(payload, "monitor", _CLAUSE, limit=MAX_DEVICES_PER_PAGE)
    return MonitorsResult(tuple(map(_read_refused_monitor, refused)))


def _monitor(monitor: Monitor) -> str:
    is_on = "true" if monitor.is_on else "false"
    return f"<monitor{attributes(number=monitor.number, user=monitor.user or None, on=is_on)}/>"


def read_hello_request(payload: Element) -> HelloRequest:
    """The gateway's greeting. Raises `RemoteProtocolError`."""
    return HelloRequest(
        system=text_field(payload, "system", _CLAUSE),
        time=time_field(payload, "time", _CLAUSE),
        version=integer_field(payload, "version", _CLAUSE, low=1, high=_MAX_VERSION),
    )


def _read_access(payload: Element) -> Access:
    code = text_field(payload, "code", _CLAUSE, limit=MAX_CODE_CHARS)
    # SASL would have to prepare anything else (RFC 4013), and so would a person who types it.
    if not (code.isascii() and code.isprintable()) or " " in code:
        raise broken(payload, "has a code that is not printable ASCII", _CLAUSE)
    return Access(text_field(payload, "transaction", _CLAUSE), code)


def _read_settings(payload: Element) -> Settings:
    return Settings(integer_field(payload, "revision", _CLAUSE), payload)


def _read_monitors(payload: Element) -> MonitorsPage:
    page, of_pages = page_of(payload, _CLAUSE)
    found = children(payload, "monitor", _CLAUSE, limit=MAX_DEVICES_PER_PAGE)
    return MonitorsPage(tuple(map(_read_monitor, found)), page, of_pages)


def _read_monitor(element: Element) -> Monitor:
    return Monitor(
        number=text_field(element, "number", _CLAUSE, limit=MAX_NUMBER_CHARS),
        user=optional_field(element, "user", _CLAUSE, limit=MAX_ID_CHARS),
        is_on=boolean_field(element, "on", _CLAUSE, default=True),
    )


def _read_refused_monitor(element: Element) -> RefusedMonitor:
    number = text_field(element, "number", _CLAUSE, limit=MAX_NUMBER_CHARS)
    try:
        return RefusedMonitor(number, MonitorRefusal(element.get("reason", "")))
    except ValueError:
        return RefusedMonitor(number, MonitorRefusal.REFUSED)


def _read_disconnect(payload: Element) -> Disconnect:
    # Not tolerant: reading a reset as something milder, or the reverse, loses or keeps a code wrongly.
    try:
        return Disconnect(DisconnectReason(payload.get("reason", "")))
    except ValueError:
        raise broken(payload, "has no reason that we know", _CLAUSE) from None


_COMMANDS: dict[str, Callable[[Element], Command]] = {
    f"{{{CONF}}}hello": read_hello_request,
    f"{{{CONF}}}access": _read_access,
    f"{{{CONF}}}settings": _read_settings,
    f"{{{CONF}}}devices": read_devices_request,
    f"{{{CONF}}}monitors": _read_monitors,
    f"{{{CONF}}}disconnect": _read_disconnect,
}
