"""Which code logs the agent in: the life of activation code and access code (protocol.md section 2).

    none ──activate──▶ activation code ──proposal stored──▶ access code, unproven ──login──▶ activated

The activation code is kept until the access code has worked once: the acknowledgement may be lost, and then
only one of the two is valid, and we can't know which.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from connector.domain.faults import FaultId

# Why there is no code to log in with: only a person can help, so time is no reason to try again.
NO_CODE = frozenset(
    {
        FaultId.NOT_ACTIVATED,
        FaultId.CLOUD_RESET,
        FaultId.CLOUD_DELETED,
        FaultId.CREDENTIALS_DAMAGED,
        FaultId.CREDENTIALS_FOREIGN,
        FaultId.CREDENTIALS_KEY_MISSING,
    }
)


class Activation(StrEnum):
    """What a person is told of the agent's activation."""

    NOT_ACTIVATED = "not-activated"
    ACTIVATING = "activating"
    ACTIVATED = "activated"


class CodeKind(StrEnum):
    """Which of the two codes a login used."""

    ACTIVATION = "activation"
    ACCESS = "access"


class Voided(StrEnum):
    """Who made the codes void."""

    RESET = "reset"  # the cloud: a new activation code waits there
    DELETED = "deleted"  # the cloud: the PBX is gone there
    ON_SITE = "on-site"  # `oxbridge reset`

    @property
    def fault(self) -> FaultId:
        """What a person is told from then on."""
        faults = {Voided.RESET: FaultId.CLOUD_RESET, Voided.DELETED: FaultId.CLOUD_DELETED}
        return faults.get(self, FaultId.NOT_ACTIVATED)


@dataclass(frozen=True, slots=True)
class Code:
    """A secret with its kind; never shown."""

    kind: CodeKind
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """All codes the agent holds.

    `is_proven`: the access code has worked at least once, or stands behind a newer activation code.
    `voided`: why there is no code although there was one.
    """

    activation_code: str | None = field(default=None, repr=False)
    access_code: str | None = field(default=None, repr=False)
    is_proven: bool = False
    voided: Voided | None = None

    @property
    def activation(self) -> Activation:
        """The state as shown."""
        if self.access_code is not None:
            return Activation.ACTIVATED
        return Activation.ACTIVATING if self.activation_code is not None else Activation.NOT_ACTIVATED

    def candidates(self) -> tuple[Code, ...]:
        """The codes to try, best first; empty when not activated.

        A code typed by a person while a proven one exists is tried first: the person knows of a reset.
        """
        activation = [Code(CodeKind.ACTIVATION, self.activation_code)] if self.activation_code else []
        access = [Code(CodeKind.ACCESS, self.access_code)] if self.access_code else []
        return tuple(activation + access if self.is_proven else access + activation)

    def with_activation_code(self, code: str) -> "Credentials":
        """A person gave a new activation code. An access code is kept behind it until it is replaced.

        Also one that no login has proven yet: an agent that was activated and never cut off since has only
        that, and a mistyped code must not lock it out.
        """
        return Credentials(code, self.access_code, is_proven=self.access_code is not None)

    def with_access_code(self, code: str) -> "Credentials":
        """The gateway proposed an access code."""
        return Credentials(self.activation_code, code, is_proven=False)

    def proven(self, kind: CodeKind) -> "Credentials":
        """A login with a code of `kind` succeeded."""
        if kind is CodeKind.ACCESS:
            return Credentials(None, self.access_code, is_proven=True)
        return self

    def without_activation_code(self) -> "Credentials":
        """The typed code was refused while a working access code stands behind it."""
        return replace(self, activation_code=None)

    @staticmethod
    def none(voided: Voided | None = None) -> "Credentials":
        """No code: never activated, or `voided`. Every other parameter of the site stays."""
        return Credentials(voided=voided)
