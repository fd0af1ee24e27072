"""What a SCRAM exchange says about the TLS channel under it (RFC 5802, 6; RFC 5929)."""

import base64
from dataclasses import dataclass

# The only type of channel binding here: of the others Python can give none for TLS 1.3.
END_POINT = "tls-server-end-point"


@dataclass(frozen=True, slots=True)
class Binding:
    """How an exchange is bound to its TLS channel (RFC 5802, 6): the GS2 header, and the channel's data.

    The data of `tls-server-end-point` is the hash of the server's certificate (RFC 5929, 4.1).
    """

    header: str = "n,,"
    data: bytes = b""

    @property
    def attribute(self) -> str:
        """The value of `c=`."""
        return base64.b64encode(self.header.encode() + self.data).decode()


UNBOUND = Binding()
# The client could have bound it, but was not offered to: a server that did offer it knows now of the fraud.
UNOFFERED = Binding("y,,")


def bound(data: bytes) -> Binding:
    """Bound to the server's certificate."""
    return Binding(f"p={END_POINT},,", data)
