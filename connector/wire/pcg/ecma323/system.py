"""SystemStatus (ECMA-323, 12) and CSTAErrorCode, the negative answer to every request."""

from dataclasses import dataclass
from enum import StrEnum
from xml.etree.ElementTree import Element

from connector.domain.errors import LocalProtocolError
from connector.domain.faults import FaultId
from connector.wire.pcg.ecma323.identifiers import identifier_of
from connector.wire.pcg.fields import broken, local_name, only_child
from connector.wire.pcg.names import ECMA323, MAX_WORD_CHARS
from connector.wire.xmpp.xml import escaped

_CLAUSE = "protocol, section 3; ECMA-323, 12"


class SystemStatus(StrEnum):
    """State of the switching function as its user sees it (ECMA-269, 13.2.6)."""

    DISABLED = "disabled"
    PARTIALLY_DISABLED = "partiallyDisabled"
    ENABLED = "enabled"
    INITIALIZING = "initializing"
    MESSAGES_LOST = "messagesLost"
    NORMAL = "normal"
    OVERLOAD_IMMINENT = "overloadImminent"
    OVERLOAD_REACHED = "overloadReached"
    OVERLOAD_RELIEVED = "overloadRelieved"

    @property
    def is_in_service(self) -> bool:
        """Whether calls are reported in this state."""
        return self not in {SystemStatus.DISABLED, SystemStatus.INITIALIZING}


class ErrorCategory(StrEnum):
    """The choice within CSTAErrorCode; the fourth is spelled as in the schema."""

    OPERATION = "operation"
    SECURITY = "security"
    STATE_INCOMPATIBILITY = "stateIncompatibility"
    SYSTEM_RESOURCE_AVAILABILITY = "systemResourceAvailibility"
    SUBSCRIBED_RESOURCE_AVAILABILITY = "subscribedResourceAvailability"
    PERFORMANCE_MANAGEMENT = "performanceManagement"
    PRIVATE_DATA = "privateData"
    UNSPECIFIED = "unspecified"
    PRIVATE_ERROR_CODE = "privateErrorCode"


_CATEGORIES = {category.value: category for category in ErrorCategory}


@dataclass(frozen=True, slots=True)
class CstaError:
    """A refusal. `value` is one of the category's words, verbatim; empty only for `unspecified`."""

    category: ErrorCategory
    value: str = ""


def status_element(status: SystemStatus) -> str:
    """A SystemStatus request."""
    return f'<SystemStatus xmlns="{ECMA323}"><systemStatus>{status.value}</systemStatus></SystemStatus>'


def status_response_element() -> str:
    """The answer to SystemStatus: nothing but its name."""
    return f'<SystemStatusResponse xmlns="{ECMA323}"/>'


def system_status(element: Element) -> SystemStatus:
    """The status in a SystemStatus request; a word that the standard does not have is refused."""
    if local_name(element) == "SystemStatus":
        for child in element:
            if local_name(child) == "systemStatus":
                try:
                    return SystemStatus(identifier_of(child))
                except ValueError:
                    break
    raise broken(element, "holds no system status", _CLAUSE)


def error_element(error: CstaError) -> str:
    """`error` as CSTAErrorCode."""
    if (not error.value) != (error.category is ErrorCategory.UNSPECIFIED):
        raise LocalProtocolError(
            FaultId.OWN_PROTOCOL, f"CSTAErrorCode {error.category} with value {error.value!r}"
        )
    category = error.category.value
    content = f"<{category}>{escaped(error.value)}</{category}>" if error.value else f"<{category}/>"
    return f'<CSTAErrorCode xmlns="{ECMA323}">{content}</CSTAErrorCode>'


def csta_error(element: Element) -> CstaError:
    """The refusal in a CSTAErrorCode. A category that we do not know is read as `unspecified`."""
    if local_name(element) != "CSTAErrorCode":
        raise broken(element, "stands where <CSTAErrorCode> is wanted", _CLAUSE)
    choice = only_child(element, _CLAUSE)
    category = _CATEGORIES.get(local_name(choice), ErrorCategory.UNSPECIFIED)
    value = identifier_of(choice)[:MAX_WORD_CHARS]
    if category is ErrorCategory.UNSPECIFIED or not value:
        return CstaError(ErrorCategory.UNSPECIFIED)
    return CstaError(category, value)
