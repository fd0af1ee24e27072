"""Both ends of a CSTA link joined without a network, in virtual time."""

from connector.wire.csta.session import CstaClient, CstaServer
from connector.wire.csta.session_events import (
    AssociationRequested,
    ClientEvent,
    ClientOptions,
    ServerEvent,
    ServerOptions,
)


class Pair:
    """A client and a server; `step` limits how many octets arrive at once."""

    def __init__(
        self, client: ClientOptions | None = None, server: ServerOptions | None = None, *, step: int = 1 << 20
    ) -> None:
        self.now = 1000.0
        self.client = CstaClient(client or ClientOptions(), self.now)
        self.server = CstaServer(server or ServerOptions(), self.now)
        self.client_events: list[ClientEvent] = []
        self.server_events: list[ServerEvent] = []
        self._step = step

    def run(self) -> None:
        """Carry octets both ways until both are quiet."""
        while (up := b"".join(self.client.to_send())) or (down := b"".join(self.server.to_send())):
            self._carry(up, self.server)
            down = b"".join(self.server.to_send()) if up else down
            self._carry(down, self.client)
        self.client_events += self.client.events()
        self.server_events += self.server.events()

    def _carry(self, data: bytes, to: CstaClient | CstaServer) -> None:
        for start in range(0, len(data), self._step):
            to.receive(data[start : start + self._step], self.now)

    def open(self) -> "Pair":
        """Greet and associate."""
        self.run()
        if any(isinstance(event, AssociationRequested) for event in self.server_events):
            self.server.accept_association()
            self.run()
        return self

    def pass_time(self, seconds: float) -> None:
        """Let every deadline within `seconds` fire, one after the other."""
        end = self.now + seconds
        for _ in range(1000):
            due = [time for end_ in (self.client, self.server) if (time := end_.deadline()) is not None]
            if not due or min(due) > end:
                break
            self.now = max(self.now, min(due))
            self.client.tick(self.now)
            self.server.tick(self.now)
            self.run()
        else:
            raise AssertionError("deadlines that never pass")
        self.now = end
