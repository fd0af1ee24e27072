"""Why a service failed (ECMA-180, universalFailure), and the word that ECMA-323 has for it."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class ErrorClass(IntEnum):
    """Classes of a universal failure: the number of the context tag (phase I; ECMA-180)."""

    OPERATION = 1
    STATE = 2
    SYSTEM_RESOURCE = 3
    SUBSCRIBED_RESOURCE = 4
    PERFORMANCE = 5
    UNSPECIFIED = 6


@dataclass(frozen=True, slots=True)
class ServiceError:
    """Why a request failed: class and value as they came, so that unknown ones stay visible."""

    error_class: int
    value: int = 0

    def __str__(self) -> str:
        known = {member.value: member.name.lower().replace("_", "-") for member in ErrorClass}
        return f"{known.get(self.error_class, self.error_class)} {self.value}"

    @property
    def word(self) -> str:
        """The text of ECMA-323's CSTAErrorCode: empty for `unspecified`, `generic` for an unknown value."""
        if self.error_class == ErrorClass.UNSPECIFIED:
            return ""
        return _WORDS.get(self.error_class, {}).get(self.value, "generic")


GENERIC = ServiceError(ErrorClass.OPERATION, 1)
VALUE_OUT_OF_RANGE = ServiceError(ErrorClass.OPERATION, 3)
OBJECT_NOT_KNOWN = ServiceError(ErrorClass.OPERATION, 4)
INVALID_CALLING_DEVICE = ServiceError(ErrorClass.OPERATION, 5)
INVALID_CALLED_DEVICE = ServiceError(ErrorClass.OPERATION, 6)
INVALID_FORWARDING = ServiceError(ErrorClass.OPERATION, 7)
PRIVILEGE_VIOLATION = ServiceError(ErrorClass.OPERATION, 8)
INVALID_CALL = ServiceError(ErrorClass.OPERATION, 11)
INVALID_DEVICE = ServiceError(ErrorClass.OPERATION, 12)
INVALID_CONNECTION = ServiceError(ErrorClass.OPERATION, 13)
INVALID_DESTINATION = ServiceError(ErrorClass.OPERATION, 14)
INVALID_FEATURE = ServiceError(ErrorClass.OPERATION, 15)
INVALID_CROSS_REF = ServiceError(ErrorClass.OPERATION, 17)
INCORRECT_STATE = ServiceError(ErrorClass.STATE, 2)
NO_ACTIVE_CALL = ServiceError(ErrorClass.STATE, 4)
NO_HELD_CALL = ServiceError(ErrorClass.STATE, 5)
NO_CALL_TO_ANSWER = ServiceError(ErrorClass.STATE, 8)
SERVICE_BUSY = ServiceError(ErrorClass.SYSTEM_RESOURCE, 2)
RESOURCE_BUSY = ServiceError(ErrorClass.SYSTEM_RESOURCE, 3)
OUT_OF_SERVICE = ServiceError(ErrorClass.SYSTEM_RESOURCE, 4)
OVERALL_MONITOR_LIMIT = ServiceError(ErrorClass.SYSTEM_RESOURCE, 7)
CONFERENCE_MEMBER_LIMIT = ServiceError(ErrorClass.SYSTEM_RESOURCE, 8)
OBJECT_MONITOR_LIMIT = ServiceError(ErrorClass.SUBSCRIBED_RESOURCE, 2)
OUTSTANDING_REQUEST_LIMIT = ServiceError(ErrorClass.SUBSCRIBED_RESOURCE, 4)
PERFORMANCE_LIMIT = ServiceError(ErrorClass.PERFORMANCE, 2)

# ECMA-180's values of each class in the words of ECMA-323 (edition 3). Value 1 is `generic` everywhere. Where
# the later standard split a value or dropped it, the word is the nearest one that it has.
_WORDS: Final[dict[int, dict[int, str]]] = {
    ErrorClass.OPERATION: {
        2: "requestIncompatibleWithObject",
        3: "valueOutOfRange",
        4: "objectNotKnown",
        5: "invalidCallingDeviceID",
        6: "invalidCalledDeviceID",
        7: "invalidForwardingDestination",
        8: "privilegeViolationSpecifiedDevice",
        9: "privilegeViolationCalledDevice",
        10: "privilegeViolationCallingDevice",
        11: "invalidCallID",
        12: "invalidDeviceID",
        13: "invalidConnectionID",
        14: "invalidDestination",
        15: "invalidFeature",
        16: "invalidAllocationState",
        17: "invalidCrossRefID",
        18: "invalidObjectType",
        19: "securityViolation",
    },
    ErrorClass.STATE: {
        2: "invalidObjectState",
        3: "invalidConnectionIDForActiveCall",
        4: "noActiveCall",
        5: "noHeldCall",
        6: "noCallToClear",
        7: "noConnectionToClear",
        8: "noCallToAnswer",
        9: "noCallToComplete",
    },
    ErrorClass.SYSTEM_RESOURCE: {
        2: "internalResourceBusy",
        3: "resourceBusy",
        4: "resourceOutOfService",
        5: "networkBusy",
        6: "networkOutOfService",
        7: "overallMonitorLimitExceeded",
        8: "conferenceMemberLimitExceeded",
    },
    ErrorClass.SUBSCRIBED_RESOURCE: {
        2: "objectMonitorLimitExceeded",
        3: "trunkLimitExceeded",
        4: "outstandingReqLimitExceeded",
    },
    ErrorClass.PERFORMANCE: {2: "performanceLimitExceeded"},
}
