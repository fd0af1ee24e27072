"""What the figures were measured on."""

import os
import platform
import sqlite3
import ssl
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("websockets", "uvicorn", "asn1tools", "ocpp", "slixmpp")
_LOAD_OF_A_QUIET_MACHINE = 0.5


def machine_line() -> str:
    """CPU, cores, memory, kernel, Python and libraries, and how busy the machine was, on one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    busy = "" if load < _LOAD_OF_A_QUIET_MACHINE else " (busy: do not trust these figures)"
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"machine: {_cpu()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, "
        f"SQLite {sqlite3.sqlite_version}, {packages}; load before {load:.2f}{busy}"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def cpu_seconds(pid: int) -> float:
    """Processor time that the process `pid` has used, user and system (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    """Memory of the process `pid` that is in RAM, in 10^6 bytes (proc(5), VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
