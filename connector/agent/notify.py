"""What systemd is told of the process (sd_notify(3)): one datagram a fact, silent outside of systemd."""

import os
import socket
from typing import Final

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
WATCHDOG: Final = "WATCHDOG=1"


class ServiceManager:
    """The manager behind the socket path that it gave us, or nobody if `address` is empty."""

    def __init__(self, address: str) -> None:
        # A leading @ stands for the null byte of an abstract socket name.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    @classmethod
    def of_environment(cls) -> "ServiceManager":
        """The manager that started this process, if one did (NOTIFY_SOCKET)."""
        return cls(os.environ.get("NOTIFY_SOCKET", ""))

    def ready(self, status: str = "") -> None:
        """The agent serves: its control socket answers."""
        self._tell(READY, status)

    def stopping(self) -> None:
        """The agent has begun to stop."""
        self._tell(STOPPING)

    def alive(self) -> None:
        """The event loop turns; due at least every `watchdog_interval_seconds`."""
        self._tell(WATCHDOG)

    def status(self, sentence: str) -> None:
        """One line for `systemctl status`."""
        self._tell("", sentence)

    def _tell(self, fact: str, status: str = "") -> None:
        if not self._address:
            return
        lines = [fact] if fact else []
        if status:
            lines.append("STATUS=" + " ".join(status.split()))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(0)  # a busy manager must not stop the event loop
            try:
                channel.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                return  # the manager is gone or busy: nobody is left to be told


def watchdog_interval_seconds() -> float | None:
    """Half of the time after which systemd ends a silent process; None if nobody watches this one."""
    try:
        microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
        watched = int(os.environ.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return None
    if microseconds <= 0 or watched != os.getpid():
        return None
    return microseconds / 2_000_000
