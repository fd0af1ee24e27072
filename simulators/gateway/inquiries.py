"""What the gateway asks of an agent: hello, a private code, a snapshot, its status, and to go. PURE."""

from datetime import timedelta

from connector.domain.identifiers import Channel
from connector.wire.pcg import conf, csta, http
from connector.wire.xmpp.stanzas import Stanza, error_of
from simulators.gateway.configuration import configure
from simulators.gateway.faults import FaultName
from simulators.gateway.journal import Kind
from simulators.gateway.line import Line, payload_of
from simulators.gateway.systems import SystemStatus

# How long an agent may take to answer that it will go; then it is put out.
FAREWELL_SECONDS = 2.0
# What the agent must serve on the http channel for it to count as up.
PROBE = http.HttpRequest("GET", "/status")


def greet(line: Line) -> None:
    """Open the conf channel; what else there is to ask follows the answer."""
    ahead = timedelta(seconds=line.desk.faults.value(FaultName.WRONG_TIME))
    hello = conf.HelloRequest(system=line.system.id, time=line.desk.wall() + ahead)
    line.ask("set", conf.hello_request(hello), lambda stanza: _greeted(line, stanza))


def dismiss(line: Line, reason: conf.DisconnectReason) -> None:
    """Ask the agent to go; when it has answered, or does not, the stream is closed."""
    order = conf.disconnect(conf.Disconnect(reason))
    line.ask("set", order, lambda _: line.stream.close(), timeout_seconds=FAREWELL_SECONDS)


def activate(line: Line) -> None:
    """The agent has the private code: it said so, or used it."""
    if line.system.status is SystemStatus.ACTIVATING:
        line.system.acknowledge(line.desk.wall())
        line.desk.keeper.keep_system(line.system)
        line.note(Kind.ACTIVATION, {"name": "acknowledged"})


def _greeted(line: Line, stanza: Stanza | None) -> None:
    payload = payload_of(stanza)
    if payload is None:
        _note_refusal(line, "hello", stanza)
        return
    hello = conf.read_hello_response(payload)
    line.system.agent_version, line.system.pbx_version = hello.agent, hello.pbx_version
    line.desk.keeper.keep_system(line.system)
    line.set_channel(Channel.CONF, is_up=True)
    line.note(Kind.HELLO, {"agent": hello.agent, "pbx": hello.pbx, "epoch": hello.epoch, "last": hello.last})
    if line.system.status is not SystemStatus.ACTIVATED:
        _propose(line)
    configure(line)
    line.ask("get", csta.snapshot_request(), lambda answer: _snapshot_came(line, answer))
    line.ask("set", http.request(PROBE), lambda answer: _probed(line, answer))


def _propose(line: Line) -> None:
    system = line.system
    system.propose(line.desk.wall(), line.desk.random)
    line.desk.keeper.keep_system(line.system)
    transaction = system.transaction
    line.note(Kind.ACTIVATION, {"name": "proposed", "transaction": transaction})

    def answered(stanza: Stanza | None) -> None:
        if stanza is None or stanza.type == "error":
            _note_refusal(line, "access", stanza)
        elif system.transaction == transaction:  # no reset came between
            activate(line)

    line.ask("set", conf.access(conf.Access(transaction, system.private_code)), answered)


def _snapshot_came(line: Line, stanza: Stanza | None) -> None:
    payload = payload_of(stanza)
    if payload is None:
        _note_refusal(line, "snapshot", stanza)
        return
    note_snapshot(line, csta.read_snapshot(payload))


def note_snapshot(line: Line, page: csta.SnapshotPage) -> None:
    """Write down which devices are in a call, asked for or not."""
    busy = [entry.snapshot.device for entry in page.entries if entry.snapshot.connections]
    line.note(Kind.SNAPSHOT, {"page": page.page, "pages": page.pages, "devices": busy})


def _probed(line: Line, stanza: Stanza | None) -> None:
    payload = payload_of(stanza)
    if payload is None:
        _note_refusal(line, "http", stanza)
        return
    response = http.read_response(payload)
    line.set_channel(Channel.HTTP, is_up=response.status == 200)
    line.note(Kind.HTTP, {"name": PROBE.resource, "status": response.status})


def _note_refusal(line: Line, request: str, stanza: Stanza | None) -> None:
    """The agent refused our request, answered nothing, or did not answer."""
    error = None if stanza is None else error_of(stanza)
    reason = "no answer" if stanza is None else error.condition if error else "an empty answer"
    kind = Kind.ACTIVATION if request == "access" else Kind.REFUSED
    line.note(kind, {"name": "refused", "request": request, "reason": reason})
