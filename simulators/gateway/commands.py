"""Commands given to an agent, as an integrator, a user's client or an attacker would have them given. PURE.

The gateway does not judge them: that an agent refuses what its site did not allow is for it to show.
"""

from collections.abc import Callable, Sequence

from connector.domain.commands import CommandDone, CommandRequest, Outcome
from connector.domain.errors import Overflow
from connector.wire.pcg import commands
from connector.wire.xmpp.stanzas import Stanza, iq
from simulators.gateway.journal import Kind
from simulators.gateway.line import Line

# Takes what became of a command; an agent that does not answer leaves it unknown.
Ended = Callable[[Outcome], None]


def give(line: Line, request: CommandRequest, ended: Ended, *, sender: str = "") -> None:
    """Send `request`; `ended` is called once. `sender` is the address of a stranger that it is to come from.

    Raises `LocalProtocolError` while the same id waits for its answer, `Overflow` when too much waits,
    `TranslationError` for a text too long.
    """
    about = {"name": request.verb.value, "command": request.id, "device": request.device}

    def answered(stanza: Stanza | None) -> None:
        outcome = commands.read_answer(stanza)
        line.note(Kind.COMMAND, {**about, **described(outcome)})
        ended(outcome)

    line.ask("set", commands.command(request), answered, id_=request.id, sender=sender)
    line.note(Kind.COMMAND, {**about, "user": request.user, "from": sender})


def flood(line: Line, requests: Sequence[CommandRequest]) -> int:
    """Send `requests` at once and wait for no answer; how many the stream took.

    What the agent answers is dropped: this is how a gateway would look that gives 10,000 commands a second.
    """
    for sent, request in enumerate(requests):
        stanza = iq("set", request.id, line.agent_jid, commands.command(request), from_=line.gateway_address)
        try:
            line.stream.send(stanza)
        except Overflow:
            return sent
    return len(requests)


def described(outcome: Outcome) -> dict[str, object]:
    """The outcome in the journal's and the REST interface's words."""
    if isinstance(outcome, CommandDone):
        legs = [{"call": leg.call, "device": leg.device} for leg in outcome.connections]
        return {"outcome": "done", "reason": "", "error": "", "connections": legs}
    return {"outcome": "refused", "reason": outcome.reason.value, "error": outcome.error, "connections": []}
