"""Real proxies from Debian on loopback, each started by its configuration and stopped by its process."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from simulators.certs import Certificates

# What breaks whoever puts it into a URL; tinyproxy takes letters and digits only.
USER, PASSWORD = "agent", "p@ss:w/rd canary-8823"
PLAIN_PASSWORD = "canary8824"
# squid reads its files and starts its helpers in two to four seconds on a busy machine.
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_LIB = Path("/usr/lib/squid")


@dataclass(frozen=True)
class Running:
    """One proxy that takes connections on `port`."""

    port: int
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def missing_tool(*names: str) -> str:
    """Why a test has to be skipped, "" if it has not."""
    missing = [name for name in names if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    return f"{', '.join(missing)} not installed: make test-tools" if missing else ""


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[Running]:
    """`command` until the block ends; entered when `port` takes connections."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_for(port, process, log)
        yield Running(port, process)
    finally:
        terminate(process)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(_STOP_SECONDS)


def terminate(process: subprocess.Popen[bytes]) -> None:
    """Ask a proxy and its helpers to end: the group is its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"{process.args!r} does not listen: {log.read_text()[-2000:]}")


# squid ---------------------------------------------------------------------------------------------------


@contextmanager
def squid_directory() -> Iterator[Path]:
    """A place that squid can write to: started by root it works as `proxy`, whom pytest's places keep out."""
    with tempfile.TemporaryDirectory(prefix="oxbridge-squid-") as name:
        yield Path(name)


@contextmanager
def squid(directory: Path, port: int, *lines: str) -> Iterator[Running]:
    """squid with these lines of configuration after what every one needs."""
    base = [
        f"pid_filename {directory}/squid.pid",
        f"access_log stdio:{directory}/access.log",
        f"cache_log {directory}/cache.log",
        f"coredump_dir {directory}",
        "cache deny all",
        "netdb_filename none",
        "shutdown_lifetime 1 seconds",
        "max_filedescriptors 1024",
    ]
    file = directory / "squid.conf"
    file.write_text("\n".join([*base, *lines, ""]))
    if os.geteuid() == 0:
        for place in (directory, *directory.rglob("*")):
            shutil.chown(place, "proxy", "proxy")
    binary = shutil.which("squid", path="/usr/sbin:/usr/bin") or "squid"
    with running([binary, "-N", "-f", str(file)], port, directory / "output.log") as started:
        yield started


def basic_lines(directory: Path) -> list[str]:
    """Basic authentication for USER and PASSWORD."""
    users = directory / "basic-users"
    made = subprocess.run(
        ["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD.encode(), capture_output=True, check=True
    )
    users.write_text(f"{USER}:{made.stdout.decode().strip()}\n")
    return [
        f"auth_param basic program {_LIB}/basic_ncsa_auth {users}",
        "auth_param basic realm oxbridge tests",
        "acl known proxy_auth REQUIRED",
        "http_access allow known",
        "http_access deny all",
    ]


def digest_lines(directory: Path) -> list[str]:
    """Digest authentication (MD5) for USER and PASSWORD."""
    users = directory / "digest-users"
    ha1 = hashlib.md5(f"{USER}:realm:{PASSWORD}".encode(), usedforsecurity=False).hexdigest()
    users.write_text(f"{USER}:realm:{ha1}\n")
    return [
        f"auth_param digest program {_LIB}/digest_file_auth -c {users}",
        "auth_param digest realm realm",
        "acl known proxy_auth REQUIRED",
        "http_access allow known",
        "http_access deny all",
    ]


def helper_lines(scheme: str) -> list[str]:
    """`ntlm`, whose helper speaks NTLM and believes everybody, or `negotiate`, which nobody gets to ask."""
    return [
        f"auth_param {scheme} program {_LIB}/ntlm_fake_auth",
        f"auth_param {scheme} children 2 startup=1 idle=1",
        "acl known proxy_auth REQUIRED",
        "http_access allow known",
        "http_access deny all",
    ]


def bump_lines(directory: Path, authority: Path, gateway_ca: Path) -> list[str]:
    """Inspection of TLS with the authority in the PEM file `authority` (key and certificate).

    WebSocket passes on the port that is named "passing" only, since squid takes every upgrade out otherwise.
    """
    database = directory / "certificates"
    subprocess.run(
        [_LIB / "security_file_certgen", "-c", "-s", database, "-M", "4MB"], check=True, capture_output=True
    )
    return [
        f"sslcrtd_program {_LIB}/security_file_certgen -s {database} -M 4MB",
        "sslcrtd_children 2 startup=1 idle=1",
        f"tls_outgoing_options cafile={gateway_ca}",
        "acl first at_step SslBump1",
        "ssl_bump peek first",
        "ssl_bump bump all",
        "acl passing myportname passing",
        "http_upgrade_request_protocols websocket allow passing",
        "http_access allow all",
    ]


# others --------------------------------------------------------------------------------------------------


@contextmanager
def tinyproxy(directory: Path, *lines: str) -> Iterator[Running]:
    """tinyproxy with these lines of configuration."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    file = directory / "tinyproxy.conf"
    base = [f"Port {port}", "Listen 127.0.0.1", "MaxClients 20", "Allow 127.0.0.1", "Timeout 30"]
    file.write_text("\n".join([*base, *lines, ""]))
    with running(["tinyproxy", "-d", "-c", str(file)], port, directory / "output.log") as started:
        yield started


@contextmanager
def microsocks(directory: Path, *options: str) -> Iterator[Running]:
    """microsocks, a SOCKS5 server."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = ["microsocks", "-i", "127.0.0.1", "-p", str(port), *options]
    with running(command, port, directory / "output.log") as started:
        yield started


# all of them ---------------------------------------------------------------------------------------------


class Zoo:
    """The proxies of the matrix, each started when it is first asked for, all stopped by `close`."""

    def __init__(self, directory: Path, certificates: Certificates, authority: Path) -> None:
        """`certificates` serve squid's https port and the gateway; `authority` signs for the inspector."""
        self._directory = directory
        self._certificates = certificates
        self._authority = authority
        self._ports: dict[str, int] = {}
        self._running: list[Running] = []
        self._stack = ExitStack()

    def port(self, name: str) -> int:
        """The port of the proxy `name`."""
        if name not in self._ports:
            start: Mapping[str, Callable[[], dict[str, int]]] = {
                "squid": self._plain,
                "squid-https": self._plain,
                "squid-deny": self._plain,
                "squid-basic": lambda: self._squid("squid-basic", basic_lines),
                "squid-digest": lambda: self._squid("squid-digest", digest_lines),
                "squid-ntlm": lambda: self._squid("squid-ntlm", lambda _: helper_lines("ntlm")),
                "squid-negotiate": lambda: self._squid(
                    "squid-negotiate", lambda _: helper_lines("negotiate")
                ),
                "squid-bump": self._bump,
                "squid-strip": self._bump,
                "tinyproxy": self._tinyproxy,
                "tinyproxy-other-port": lambda: self._small("tinyproxy-other-port", "ConnectPort 443"),
                "tinyproxy-any": lambda: self._small("tinyproxy-any"),
                "microsocks": lambda: self._socks("microsocks"),
                "microsocks-password": lambda: self._socks("microsocks-password", "-u", USER, "-P", PASSWORD),
            }
            self._ports.update(start[name]())
        return self._ports[name]

    def close(self) -> None:
        """Stop every one, all at once: squid takes two seconds to go."""
        for one in self._running:
            terminate(one.process)
        self._stack.close()

    def _enter(self, started: AbstractContextManager[Running]) -> Running:
        self._running.append(self._stack.enter_context(started))
        return self._running[-1]

    def _squid(self, name: str, lines: Callable[[Path], list[str]]) -> dict[str, int]:
        directory, port = self._stack.enter_context(squid_directory()), free_port()
        own = [f"http_port 127.0.0.1:{port}", *lines(directory)]
        self._enter(squid(directory, port, *own))
        return {name: port}

    def _plain(self) -> dict[str, int]:
        """One process with three ports: everything allowed, the same in TLS, nothing allowed."""
        directory = self._stack.enter_context(squid_directory())
        plain, https, deny = free_port(), free_port(), free_port()
        both = directory / "server.pem"
        both.write_bytes(self._certificates.key_file.read_bytes() + self._certificates.cert_file.read_bytes())
        lines = [
            f"http_port 127.0.0.1:{plain}",
            f"https_port 127.0.0.1:{https} tls-cert={both}",
            f"http_port 127.0.0.1:{deny} name=denying",
            "acl denying myportname denying",
            "http_access deny denying",
            "http_access allow all",
        ]
        self._enter(squid(directory, plain, *lines))
        return {"squid": plain, "squid-https": https, "squid-deny": deny}

    def _bump(self) -> dict[str, int]:
        directory = self._stack.enter_context(squid_directory())
        bump, strip = free_port(), free_port()
        authority, trusted = directory / "authority.pem", directory / "gateway-ca.pem"
        authority.write_bytes(self._authority.read_bytes())
        trusted.write_bytes(self._certificates.ca_file.read_bytes())
        options = f"ssl-bump tls-cert={authority} generate-host-certificates=on"
        lines = [
            f"http_port 127.0.0.1:{bump} name=passing {options}",
            f"http_port 127.0.0.1:{strip} name=stripping {options}",
            *bump_lines(directory, authority, trusted),
        ]
        self._enter(squid(directory, bump, *lines))
        return {"squid-bump": bump, "squid-strip": strip}

    def _tinyproxy(self) -> dict[str, int]:
        return self._small("tinyproxy", f"BasicAuth {USER} {PLAIN_PASSWORD}")

    def _small(self, name: str, *lines: str) -> dict[str, int]:
        started = self._enter(tinyproxy(self._directory / name, *lines))
        return {name: started.port}

    def _socks(self, name: str, *options: str) -> dict[str, int]:
        started = self._enter(microsocks(self._directory / name, *options))
        return {name: started.port}
