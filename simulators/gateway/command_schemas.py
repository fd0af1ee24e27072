"""The bodies of the simulator's own calls that give commands."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from connector.domain import commands as domain
from connector.domain.calls import ConnectionId
from connector.domain.commands import VERBS, AgentState, Command, ForwardingKind, Verb

Number = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Reference = Annotated[str, StringConstraints(max_length=64)]
Password = Annotated[str, StringConstraints(max_length=32)]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9A-D*#]{1,64}$")]
CommandId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,64}$")]
Address = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}@[a-z0-9.-]{1,64}/[a-z0-9]{1,32}$")]


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 30.0 is an integer too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_WHOLE = BeforeValidator(_whole)

_KINDS = {verb: kind for kind, verb in VERBS.items()}


class _Body(BaseModel):
    """Names in camel case on the wire, in snake case here; nothing is coerced or ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, strict=True, extra="forbid")


class Leg(_Body):
    """A connection, as the agent's events name it; without a device it is the commanded one's."""

    call: Number
    device: Reference = ""

    def connection(self) -> ConnectionId:
        """In the domain's words."""
        return ConnectionId(self.call, self.device)


class OnOneLeg(_Body):
    """What needs one connection."""

    verb: Literal["answer-call", "hold-call", "retrieve-call", "clear-connection"]
    connection: Leg

    def command(self, _device: str) -> Command:
        """In the domain's words."""
        return _KINDS[Verb(self.verb)](self.connection.connection())  # type: ignore[call-arg, arg-type]


class OnTwoLegs(_Body):
    """What needs a held and an active connection."""

    verb: Literal["transfer-call", "conference-call", "alternate-call"]
    held: Leg
    active: Leg

    def command(self, _device: str) -> Command:
        """In the domain's words."""
        held, active = self.held.connection(), self.active.connection()
        return _KINDS[Verb(self.verb)](held, active)  # type: ignore[call-arg, arg-type]


class MakeCall(_Body):
    """Call from the device."""

    verb: Literal["make-call"]
    called: Number

    def command(self, device: str) -> Command:
        """In the domain's words."""
        return domain.MakeCall(device, self.called)


class ToDestination(_Body):
    """Call a second party, or send a ringing call elsewhere."""

    verb: Literal["consultation-call", "deflect-call"]
    connection: Leg
    destination: Number

    def command(self, _device: str) -> Command:
        """In the domain's words."""
        kind = domain.DeflectCall if self.verb == "deflect-call" else domain.ConsultationCall
        return kind(self.connection.connection(), self.destination)


class GenerateDigits(_Body):
    """Send DTMF."""

    verb: Literal["generate-digits"]
    connection: Leg
    digits: Digits

    def command(self, _device: str) -> Command:
        """In the domain's words."""
        return domain.GenerateDigits(self.connection.connection(), self.digits)


class SetForwarding(_Body):
    """Turn a forwarding on or off."""

    verb: Literal["set-forwarding"]
    kind: Literal["forwardImmediate", "forwardBusy", "forwardNoAns"]
    is_on: bool
    destination: Reference = ""

    def command(self, device: str) -> Command:
        """In the domain's words."""
        destination = self.destination if self.is_on else ""
        return domain.SetForwarding(device, ForwardingKind(self.kind), self.is_on, destination)


class SetDoNotDisturb(_Body):
    """Turn do-not-disturb on or off."""

    verb: Literal["set-do-not-disturb"]
    is_on: bool

    def command(self, device: str) -> Command:
        """In the domain's words."""
        return domain.SetDoNotDisturb(device, self.is_on)


class SetAgentState(_Body):
    """Log a CCD agent on or off, or change his state; a withdraw is `notReady` with a reason."""

    verb: Literal["set-agent-state"]
    state: Literal["loggedOn", "loggedOff", "notReady", "ready", "workingAfterCall"]
    agent: Reference = ""
    password: Password = ""
    group: Reference = ""
    withdraw_reason: Annotated[int, Field(ge=0, le=9), _WHOLE] | None = None

    def command(self, device: str) -> Command:
        """In the domain's words."""
        return domain.SetAgentState(
            device,
            AgentState(self.state),
            agent=self.agent,
            password=self.password,
            group=self.group,
            withdraw_reason=self.withdraw_reason,
        )


AnyCommand = (
    OnOneLeg
    | OnTwoLegs
    | MakeCall
    | ToDestination
    | GenerateDigits
    | SetForwarding
    | SetDoNotDisturb
    | SetAgentState
)


class CommandIn(_Body):
    """One command. `id` repeats an earlier one, a negative deadline is past, `sender` is a stranger."""

    device: Number
    user: Number = "console"
    deadline_seconds: Annotated[int, Field(ge=-3_600, le=3_600), _WHOLE] = 30
    id: CommandId | None = None
    sender: Address | None = None
    command: Annotated[AnyCommand, Field(discriminator="verb")]


class FloodIn(_Body):
    """The same command many times, each with an id of its own."""

    count: Annotated[int, Field(ge=1, le=10_000), _WHOLE]
    request: CommandIn


class CommandOut(_Body):
    """What became of a command. `reason` and `error` are empty when it is done."""

    id: str
    outcome: Literal["done", "refused"]
    reason: str
    error: str
    connections: list[Leg]


class FloodOut(_Body):
    """How many of them the stream took."""

    sent: int
