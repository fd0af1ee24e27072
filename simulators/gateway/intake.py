"""What an agent brings: call events, gaps, its device list, the state of its PBX link, snapshots. PURE.

Call events are the hot path: their numbers are read now, their content when somebody reads the journal.
"""

from collections.abc import Callable
from dataclasses import replace
from xml.etree.ElementTree import Element

from connector.domain.errors import RemoteProtocolError
from connector.domain.identifiers import Channel
from connector.wire.pcg import chunks, csta, devices, names, presence
from connector.wire.pcg.fields import integer_field, text_field
from connector.wire.xmpp.stanzas import Stanza, error_reply
from simulators.gateway.faults import FaultName
from simulators.gateway.inquiries import note_snapshot
from simulators.gateway.journal import Kind
from simulators.gateway.line import Line
from simulators.gateway.phonebook import MAX_DEVICES, ListRefused
from simulators.gateway.sequence import Gap, TooScattered

# The protocol wants an acknowledgement at least every so many events; a quiet moment gives one earlier.
ACK_EVENTS = 64
# Quiet moments may be as many as events; an agent takes 2,000 stanzas a second.
ACK_INTERVAL_SECONDS = 0.001

_CLAUSE = "protocol, section 3"
_EVENT = f"{{{names.CSTA}}}event"
_GAP = f"{{{names.CSTA}}}gap"
_CHUNK = f"{{{names.HTTP}}}chunk"
_PRESENCES = f"{{{names.CSTA}}}presences"
_INVITATION = f"{{{names.RVA}}}invitation"


class Intake:
    """Takes the stanzas of one agent."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._epoch = ""
        self._unacknowledged = 0
        self._quiet_ack_at = 0.0
        self._requests: dict[tuple[str, str], Callable[[Element], str]] = {
            ("set", f"{{{names.CONF}}}devices"): self._take_devices,
            ("set", f"{{{names.CSTA}}}system"): self._take_system_status,
            ("set", f"{{{names.CSTA}}}snapshot"): self._take_snapshot,
        }

    def take_message(self, stanza: Stanza, frame: str) -> None:
        """Take a message; `frame` is the text that it came as."""
        payload = stanza.payload
        try:
            if payload is not None and payload.tag == _EVENT:
                self._take_event(payload, frame)
            elif payload is not None and payload.tag == _PRESENCES:
                self._take_presences(payload)
            elif payload is not None and payload.tag == _GAP:
                self._take_gap(payload)
            elif payload is not None and payload.tag == _CHUNK:
                self._take_chunk(stanza, payload)
            elif stanza.type != "error":
                self._return(stanza, "service-unavailable", "no message of ours")
        except RemoteProtocolError as error:
            self._return(stanza, "bad-request", error.detail)
        except TooScattered:
            self._line.stream.fail("policy-violation")

    def take_request(self, stanza: Stanza) -> None:
        """Take an iq get or set and answer it."""
        payload = stanza.payload
        take = None if payload is None else self._requests.get((stanza.type, payload.tag))
        if take is None or payload is None:
            self._refuse(stanza, "service-unavailable", "no request of ours")
            return
        try:
            answer = take(payload)
        except RemoteProtocolError as error:
            self._refuse(stanza, "bad-request", error.detail)
        except ListRefused as refusal:
            self._refuse(stanza, refusal.condition, refusal.reason)
        else:
            self._line.stream.answer(stanza, answer)

    @property
    def deadline(self) -> float | None:
        """When a quiet moment may be used again, or None when nothing is to be acknowledged."""
        return self._quiet_ack_at if self._unacknowledged else None

    def settle(self, now: float) -> None:
        """A quiet moment: acknowledge what is not acknowledged, unless that was done just before."""
        if self._unacknowledged and now >= self._quiet_ack_at:
            self._quiet_ack_at = now + ACK_INTERVAL_SECONDS
            self._acknowledge()

    def _acknowledge(self) -> None:
        if not self._unacknowledged:
            return
        self._unacknowledged = 0
        self._line.desk.keeper.flush()
        events = self._line.system.events
        upto = events.upto(self._epoch)
        if upto is not None:
            held = events.held(self._epoch, csta.MAX_HELD_RANGES)
            self._say(csta.Acknowledgement(self._epoch, upto, held))

    def _say(self, acknowledgement: csta.Acknowledgement) -> None:
        faults = self._line.desk.faults
        if faults:
            seq = faults.acknowledged(acknowledgement.seq)
            if seq is None:
                return
            acknowledgement = replace(acknowledgement, seq=seq)
        self._line.say(csta.acknowledgement(acknowledgement))

    def _take_event(self, payload: Element, frame: str) -> None:
        line = self._line
        epoch = text_field(payload, "epoch", _CLAUSE)
        seq = integer_field(payload, "seq", _CLAUSE, low=1)
        if line.desk.faults and line.desk.faults.offends(seq):
            line.stream.fail("policy-violation")
            return
        kind = Kind.DUPLICATE
        if line.system.events.add(epoch, seq):
            is_invitation = len(payload) > 0 and payload[0].tag == _INVITATION
            kind = Kind.INVITATION if is_invitation else Kind.CALL_EVENT
            line.desk.keeper.keep_event(line.system.id, epoch, seq, frame)
        line.desk.journal.add(kind, line.desk.wall(), line.system.id, frame)
        self._count(epoch)

    def _take_presences(self, payload: Element) -> None:
        known = self._line.system.presences
        for told in presence.read_presences(payload):
            if told.device in known or len(known) < MAX_DEVICES:
                known[told.device] = told.state

    def _take_gap(self, payload: Element) -> None:
        gap = csta.read_report(payload)
        if not isinstance(gap, csta.Gap):
            return
        missing = Gap(gap.first, gap.last, gap.count, gap.durable)
        if self._line.system.events.skip(gap.epoch, missing):
            self._line.desk.keeper.keep_gap(self._line.system.id, gap.epoch, missing)
            lost = {"epoch": gap.epoch, "from": gap.first, "to": gap.last, "count": gap.count}
            self._line.note(
                Kind.GAP, {**lost, "class": "durable" if gap.durable else "volatile", "reason": gap.reason}
            )
        self._count(gap.epoch)

    def _take_chunk(self, stanza: Stanza, payload: Element) -> None:
        """A part of a body; one that nobody waits for, any more, is dropped: it has no answer."""
        try:
            self._line.bodies.take(chunks.read_chunk(payload))
        except RemoteProtocolError as error:
            self._note_refused(stanza, "bad-request", error.detail)

    def _count(self, epoch: str) -> None:
        if epoch != self._epoch:
            self._acknowledge()
            self._epoch = epoch
        self._unacknowledged += 1
        if self._unacknowledged >= ACK_EVENTS:
            self._acknowledge()

    def _take_devices(self, payload: Element) -> str:
        report = devices.read_device_report(payload)
        if FaultName.REFUSE_DEVICES in self._line.desk.faults:
            raise ListRefused("resource-constraint", "the fault refuse-devices is switched on")
        book = self._line.system.phone_book
        if isinstance(report, devices.DevicesPage):
            place = (report.revision, report.page, report.pages)
            is_whole = book.take_page(place, report.devices, self._line.new_id)
            known: dict[str, object] = {"name": "list" if is_whole else "page", "page": report.page}
        else:
            change = report.change
            book.take_change(
                (report.base, report.revision), change.changed, change.removed, self._line.new_id
            )
            is_whole = True
            known = {"name": "change", "changed": len(change.changed), "removed": len(change.removed)}
        if is_whole:
            self._line.desk.keeper.keep_numbers(self._line.system)
        self._line.note(Kind.DEVICES, {**known, "revision": report.revision, "devices": len(book)})
        return ""

    def _take_system_status(self, payload: Element) -> str:
        status = csta.read_system_status(payload)
        self._line.set_channel(Channel.CSTA, is_up=status.is_in_service)
        self._line.note(Kind.SYSTEM_STATUS, {"name": status.value})
        return csta.system_status_response()

    def _take_snapshot(self, payload: Element) -> str:
        note_snapshot(self._line, csta.read_snapshot(payload))
        return ""

    def _refuse(self, stanza: Stanza, condition: str, reason: str) -> None:
        self._note_refused(stanza, condition, reason)
        self._line.stream.refuse(stanza, condition, reason)

    def _return(self, stanza: Stanza, condition: str, reason: str) -> None:
        """Send a message back as an error (RFC 6120, 8.3.1)."""
        self._note_refused(stanza, condition, reason)
        if stanza.type != "error":
            self._line.stream.send(error_reply(stanza, condition, reason))

    def _note_refused(self, stanza: Stanza, condition: str, reason: str) -> None:
        name = stanza.name if stanza.payload is None else stanza.payload.tag
        self._line.note(Kind.REFUSED, {"name": name[:200], "condition": condition, "reason": reason})
