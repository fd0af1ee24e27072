"""The device list of one system, as its agent sent it, and the phone numbers made from it. PURE."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from connector.domain.devices import Device, DeviceState
from connector.wire.pcg.names import MAX_PAGES

# The largest OmniPCX Enterprise has 15,000 sets; twice that leaves room for virtual ones.
MAX_DEVICES = 30_000


class ListRefused(Exception):
    """A page or change can't be taken; `condition` is the stanza error to answer (RFC 6120, 8.3.3)."""

    def __init__(self, condition: str, reason: str) -> None:
        super().__init__(reason)
        self.condition = condition
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What the administrator says of a number; None where the device's own value holds."""

    is_monitored: bool = False
    user_id: str | None = None
    internal_number: str | None = None
    number: str = ""
    country: str | None = None
    type: str = "work"
    device_type: str = "landline"
    first_name: str | None = None
    last_name: str | None = None
    device_name: str | None = None
    is_visible_by_others: bool | None = None


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """One number of the system; `id` stays the same as long as the number exists."""

    id: str
    device: Device
    link: Link = Link()

    @property
    def internal_number(self) -> str:
        """The number to dial inside the company."""
        return self.link.internal_number or self.device.number


class PhoneBook:
    """One system's list: replaced as a whole by pages, changed by deltas. The same again changes nothing."""

    def __init__(self) -> None:
        self.revision: int | None = None
        # Whether anybody ever said which numbers to monitor.
        self.is_linked = False
        self._numbers: dict[str, PhoneNumber] = {}
        self._pages: dict[int, Sequence[Device]] = {}
        self._collecting: tuple[int, int] | None = None
        self._last_change: tuple[int, int] | None = None

    def numbers(self) -> list[PhoneNumber]:
        """All numbers, ordered by short number."""
        return [self._numbers[number] for number in sorted(self._numbers)]

    def counts(self) -> dict[DeviceState, int]:
        """How many devices are in each state."""
        totals = dict.fromkeys(DeviceState, 0)
        for entry in self._numbers.values():
            totals[entry.device.state] += 1
        return totals

    def __len__(self) -> int:
        return len(self._numbers)

    def find(self, number_id: str) -> PhoneNumber | None:
        """The number with this id."""
        return next((entry for entry in self._numbers.values() if entry.id == number_id), None)

    def by_internal_number(self, number: str) -> PhoneNumber | None:
        """The number that is dialled so inside the company."""
        return next((entry for entry in self._numbers.values() if entry.internal_number == number), None)

    def link(self, entry: PhoneNumber, link: Link) -> None:
        """Put the administrator's words for a number in force; one that went meanwhile stays gone."""
        known = self._numbers.get(entry.device.number)
        if known is not None and known.id == entry.id:
            self.is_linked = True
            self._numbers[entry.device.number] = replace(known, link=link)

    def restore(self, revision: int | None, numbers: Iterable[PhoneNumber], *, is_linked: bool) -> None:
        """Begin where an earlier life of the gateway stopped."""
        self.revision, self.is_linked = revision, is_linked
        self._numbers = {entry.device.number: entry for entry in numbers}

    def take_page(
        self, place: tuple[int, int, int], devices: Sequence[Device], new_id: Callable[[], str]
    ) -> bool:
        """Take the page at `place` = (revision, page, pages), pages counted from 1.

        True when the list of that revision is complete and in force. A page of another revision starts a new
        collection; until it is complete the old list stays in force. Raises `ListRefused`.
        """
        revision, page, pages = place
        if not 1 <= page <= pages <= MAX_PAGES:
            raise ListRefused("bad-request", f"page {page} of {pages}")
        if self._collecting != (revision, pages):
            self._collecting = (revision, pages)
            self._pages = {}
        self._pages[page] = devices
        if len(self._pages) < pages:
            return False
        self._replace([device for number in sorted(self._pages) for device in self._pages[number]], new_id)
        self.revision, self._collecting, self._pages, self._last_change = revision, None, {}, None
        return True

    def take_change(
        self,
        step: tuple[int, int],
        changed: Sequence[Device],
        removed: Sequence[str],
        new_id: Callable[[], str],
    ) -> None:
        """Take a change of `step` = (base, revision).

        Raises `ListRefused` with item-not-found for a base that is not in force: the agent then sends the
        full list.
        """
        base, revision = step
        if self._last_change == step and self.revision == revision:
            return
        if self.revision != base:
            raise ListRefused("item-not-found", f"revision {base} is not the one in force")
        gone = set(removed)
        kept = [entry.device for number, entry in self._numbers.items() if number not in gone]
        self._replace([*kept, *changed], new_id)
        self.revision, self._last_change = revision, step

    def _replace(self, devices: Sequence[Device], new_id: Callable[[], str]) -> None:
        """Put `devices` in force; of two with one number the later counts."""
        wanted = {device.number: device for device in devices}
        if len(wanted) > MAX_DEVICES:
            raise ListRefused("resource-constraint", f"more than {MAX_DEVICES} devices")
        self._numbers = {
            number: replace(known, device=device)
            if (known := self._numbers.get(number))
            else PhoneNumber(new_id(), device)
            for number, device in wanted.items()
        }
