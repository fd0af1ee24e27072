"""Who is invited: pure decisions on what one call update and the settings say.

What needs memory (once a call, once a number in ten minutes) is decided by the ledger, atomically with the
right to send.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from connector.domain.call_model import CallUpdate
from connector.domain.calls import Delivered, Established, LocalState, Presentation, Reach
from connector.domain.invitations import Invite, Refusal, Refuse
from connector.domain.numbers import Canonical, DialPlan, NotCanonical

if TYPE_CHECKING:
    from connector.rva.settings import Rule  # pydantic: whoever made them has loaded it


class InvitationPolicy:
    """The site's rules by device. Calling it decides on one update; None means: nobody to invite here.

    `plan` gives the present dial plan, which the cloud may change. Without `countries` only the plan's own
    numbers are invited.
    """

    def __init__(
        self, rules: "Iterable[Rule]", plan: Callable[[], DialPlan], countries: Iterable[str] = ()
    ) -> None:
        self._rules: Mapping[str, Rule] = {rule.device: rule for rule in rules}
        self._plan = plan
        self._countries = frozenset(countries)

    def __call__(self, update: CallUpdate) -> Invite | Refuse | None:
        rule = self._rules.get(update.device)
        if rule is None:
            return None
        plan = self._plan()
        return decide(rule, update, plan, self._countries or frozenset({plan.country}))


def decide(
    rule: "Rule", update: CallUpdate, plan: DialPlan, countries: frozenset[str]
) -> Invite | Refuse | None:
    """Decide on `update` at the rule's device. None unless it is the rule's moment of an outside call.

    `countries` are the alpha-2 codes whose numbers may be invited.
    """
    if not _is_moment(rule, update):
        return None
    caller = update.caller
    number = plan.canonical(caller.number, caller.reach)
    if caller.reach is Reach.INTERNAL or number.reason is NotCanonical.INTERNAL or _is_self(rule, update):
        return None
    refusal = Refusal.WITHHELD if caller.presentation is not Presentation.ALLOWED else None
    refusal = refusal or refusal_of(number, plan, countries)
    to = number.e164 or ""
    if refusal is not None:
        return Refuse(update.call_id, update.device, rule.agent_id, refusal, to)
    return Invite(update.call_id, update.device, rule.agent_id, to, rule.options.to_domain())


def refusal_of(number: Canonical, plan: DialPlan, countries: frozenset[str]) -> Refusal | None:
    """Why `number` may not be invited, or None.

    The kind comes first: a premium or satellite number abroad is refused for what it is.
    """
    if number.reason is NotCanonical.WITHHELD:
        return Refusal.WITHHELD
    if not number.can_get_sms or plan.is_own(number):
        return Refusal.KIND
    if number.region not in countries:
        return Refusal.COUNTRY
    return None


def _is_moment(rule: "Rule", update: CallUpdate) -> bool:
    """Whether the call rings at the device (not only: the device hears it ring elsewhere), or is answered."""
    event = update.event
    if rule.when == "delivered":
        return isinstance(event, Delivered) and (
            event.state is LocalState.ALERTING
            or (event.state is None and event.alerting.number == update.device)
        )
    return isinstance(event, Established) and event.state in (LocalState.CONNECTED, None)


def _is_self(rule: "Rule", update: CallUpdate) -> bool:
    """An outgoing call of the expert: the caller is the expert's own set."""
    return update.caller.number == rule.device
