"""The agents' logins: which keys open a system's account now.

Keys are derived at the first login with a code and kept: PBKDF2 takes 3 ms a code and hash, which a fleet
that connects again must not pay twice.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from connector.wire.xmpp.sasl import MIN_ITERATIONS, SCRAM_HASHES, ScramKeys, derive_keys
from simulators.gateway.systems import RandomBytes, System, Systems

SALT_BYTES = 16


class Accounts:
    """Looks up the keys of a login among `systems`, for the SCRAM mechanisms offered."""

    def __init__(
        self, systems: Systems, random: RandomBytes, mechanisms: Sequence[str], wall: Callable[[], datetime]
    ) -> None:
        self._systems = systems
        self._wall = wall
        self._random = random
        self._hashes = tuple(SCRAM_HASHES[name] for name in mechanisms)
        self._salts: dict[str, bytes] = {}
        self._keys: dict[str, tuple[tuple[str, ...], tuple[ScramKeys, ...]]] = {}

    def lookup(self, user: str) -> Sequence[ScramKeys]:
        """The keys that open the account of `user`, all hashes of one code after the other; empty for nobody.

        All share one salt and iteration count, as long as the system's codes stay.
        """
        system = self._systems.by_pbx_id(user)
        return () if system is None else self._keys_of(system)

    def is_private(self, system: System, key_index: int) -> bool:
        """Whether the key at `key_index` of the lookup was made from the system's private code."""
        codes = system.codes(self._wall())
        place = key_index // len(self._hashes)
        return place < len(codes) and codes[place] == system.private_code

    def forget(self, system: System) -> None:
        """The system is gone."""
        self._keys.pop(system.id, None)
        self._salts.pop(system.id, None)

    def _keys_of(self, system: System) -> tuple[ScramKeys, ...]:
        codes = system.codes(self._wall())
        known = self._keys.get(system.id)
        if known is not None and known[0] == codes:
            return known[1]
        salt = self._salts.setdefault(system.id, self._random(SALT_BYTES))
        keys = tuple(self._key(code, salt, name, known) for code in codes for name in self._hashes)
        self._keys[system.id] = (codes, keys)
        return keys

    def _key(
        self,
        code: str,
        salt: bytes,
        hash_name: str,
        known: tuple[tuple[str, ...], tuple[ScramKeys, ...]] | None,
    ) -> ScramKeys:
        """The key of one code: the one made for it before, or a new one."""
        if known is not None and code in known[0]:
            return known[1][known[0].index(code) * len(self._hashes) + self._hashes.index(hash_name)]
        return derive_keys(code, salt, MIN_ITERATIONS, hash_name)
