"""What the cloud may command on this site: verbs, devices, and the numbers that may be dialled.

The gateway may be somebody else's one day, and a dialled number costs money: what is not listed is refused.
"""

import re
from dataclasses import dataclass

from connector.domain.commands import Command, DeflectCall, SetForwarding, Verb, destination_of
from connector.domain.numbers import DialPlan, NumberKind, NumberRange

# Rows of a settings file that a person still oversees.
MAX_DESTINATIONS = 1_000

# What a set's keypad has: what goes to the PBX is exactly what was judged, so nothing is normalised away.
_DIALLABLE = re.compile(r"[0-9*#A-D]{1,32}\Z")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}\Z")
# Calls that pay their owner, or cost many times the usual: the reason for most fraud on a PBX.
_COSTLY = frozenset({NumberKind.PREMIUM, NumberKind.SHARED_COST, NumberKind.SATELLITE})

# Words of CSTAErrorCode, category `operation` (ECMA-323): what a refusal is told with.
VERB_REFUSED = "securityViolation"
DEVICE_REFUSED = "privilegeViolationSpecifiedDevice"
DESTINATION_INVALID = "invalidDestination"
CALLED_REFUSED = "privilegeViolationCalledDevice"
DESTINATION_REFUSED = "privilegeViolationDestinationDevice"


@dataclass(frozen=True, slots=True)
class CommandPolicy:
    """The site's lists; empty ones allow nothing.

    `destinations` holds prefixes of international numbers ("+336") and whole numbers: "+33892700000", or as
    they are dialled ("0112"). A prefix does not open premium, shared-cost or satellite numbers, forwarding to
    another country, or what has no international form (emergency, service codes): these must be listed whole.
    Raises ValueError, naming the field and not its value.
    """

    verbs: frozenset[Verb] = frozenset()
    devices: tuple[NumberRange, ...] = ()
    destinations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.destinations) > MAX_DESTINATIONS:
            raise ValueError(f"destinations: more than {MAX_DESTINATIONS}")
        if not all(_PREFIX.match(entry) or _DIALLABLE.match(entry) for entry in self.destinations):
            raise ValueError("destinations: neither + and digits nor a number that a set can dial")

    def refusal_of_use(self, device: str, verb: Verb) -> str:
        """Why `device` may not be commanded so, as an ECMA-323 word; empty if it may."""
        if verb not in self.verbs:
            return VERB_REFUSED
        return "" if any(device in allowed for allowed in self.devices) else DEVICE_REFUSED

    def refusal_of_destination(self, command: Command, plan: DialPlan, *, is_device: bool) -> str:
        """Why the number that `command` dials, already as the PBX gets it, is refused; empty if it is not.

        `is_device`: the number is known to be a device of this PBX.
        """
        number = destination_of(command)
        if _DIALLABLE.match(number) is None:
            return DESTINATION_INVALID
        if is_device or plan.is_internal(number) or self._allows_outside(command, number, plan):
            return ""
        is_diversion = isinstance(command, (DeflectCall, SetForwarding))
        return DESTINATION_REFUSED if is_diversion else CALLED_REFUSED

    def _allows_outside(self, command: Command, number: str, plan: DialPlan) -> bool:
        if number in self.destinations:
            return True
        canonical = plan.dialled(number)
        if canonical.e164 is None:
            return False
        if canonical.e164 in self.destinations:
            return True
        # A forwarding stays when nobody looks any more, the usual way of toll fraud.
        is_lasting = isinstance(command, SetForwarding)
        if canonical.kind in _COSTLY or (is_lasting and canonical.region != plan.country):
            return False
        return any(entry[0] == "+" and canonical.e164.startswith(entry) for entry in self.destinations)
