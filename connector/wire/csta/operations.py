"""The services of CSTA phases I and II that are known here, as remote operations."""

from enum import IntEnum


class Operation(IntEnum):
    """ROSE operation values, equal in both phases."""

    ALTERNATE_CALL = 1
    ANSWER_CALL = 2
    CLEAR_CONNECTION = 5
    CONFERENCE_CALL = 6
    CONSULTATION_CALL = 7
    DIVERT_CALL = 8
    HOLD_CALL = 9
    MAKE_CALL = 10
    QUERY_DEVICE = 12
    RETRIEVE_CALL = 14
    SET_FEATURE = 15
    TRANSFER_CALL = 16
    SEND_DTMF = 19
    EVENT_REPORT = 21
    ESCAPE = 51
    SYSTEM_STATUS = 52
    MONITOR_START = 71
    CHANGE_MONITOR_FILTER = 72
    MONITOR_STOP = 73
    SNAPSHOT_DEVICE = 74
