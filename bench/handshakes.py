"""How many TLS 1.3 handshakes one core makes: both ends in this process, in memory, without a loop.

The ceiling for anything that takes TLS connections in Python here; a storm of logins is measured against it.
"""

import ssl
from time import perf_counter

from bench.websocket_client import trusting
from simulators.certs import Certificates

# What a handshake and its tickets need at most; two flights each way in TLS 1.3.
_TURNS = 8


def pairs_per_second(certificates: Certificates, count: int) -> float:
    """Handshakes a second, client and server together."""
    client_context, server_context = trusting(certificates.ca_file), certificates.server_context()
    began = perf_counter()
    for _ in range(count):
        _shake_hands(client_context, server_context)
    return count / (perf_counter() - began)


def _shake_hands(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> None:
    upward, downward = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(downward, upward, server_hostname="localhost")
    server = server_context.wrap_bio(upward, downward, server_side=True)
    waiting = [client, server]
    for _ in range(_TURNS):
        waiting = [end for end in waiting if not _is_done(end)]
        if not waiting:
            return
    raise RuntimeError("a handshake in memory did not end")


def _is_done(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
