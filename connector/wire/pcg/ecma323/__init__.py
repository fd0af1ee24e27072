"""CSTA phase III in XML (ECMA-323, 6th edition): the part of it that our csta channel carries.

Written strictly by the schema, read with tolerance from any edition.
"""

from connector.wire.pcg.ecma323.event_reader import call_event, event_word, is_ecma323, monitor_of
from connector.wire.pcg.ecma323.event_writer import event_element
from connector.wire.pcg.ecma323.snapshot import device_snapshot, snapshot_element
from connector.wire.pcg.ecma323.system import (
    CstaError,
    ErrorCategory,
    SystemStatus,
    csta_error,
    error_element,
    status_element,
    status_response_element,
    system_status,
)

__all__ = [
    "CstaError",
    "ErrorCategory",
    "SystemStatus",
    "call_event",
    "csta_error",
    "device_snapshot",
    "error_element",
    "event_element",
    "event_word",
    "is_ecma323",
    "monitor_of",
    "snapshot_element",
    "status_element",
    "status_response_element",
    "system_status",
]
