"""The site's dial plan: from what a PBX shows of a caller to the one international form of the number.

A PBX writes an outside number as it would be dialled on a set: trunk prefix, then national or international
prefix, then the number. Captured calls show the trunk prefix once, twice or not at all, on the same site; so
every reading is tried in a fixed order and the numbering plan of the country decides which one can exist.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from connector.domain.calls import Reach

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# 15 digits (ITU-T E.164, 6.1) with trunk and international prefixes, and a separator after each second digit.
MAX_NUMBER_CHARS = 40
# An installation has a few hundred ranges at most; each is looked at for a caller of unknown reach.
MAX_INTERNAL_RANGES = 1_000

_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_PREFIX = re.compile(r"[0-9]{0,8}\Z")
_DIALLED = re.compile(r"\+?[0-9]{1,32}\Z")
_SEPARATORS = str.maketrans("", "", " .-/()\u00a0")


class NumberKind(StrEnum):
    """What a number is for, as far as its range tells."""

    MOBILE = "mobile"
    FIXED = "fixed"
    FIXED_OR_MOBILE = "fixed-or-mobile"  # plans that do not tell them apart, such as +1
    PREMIUM = "premium"
    SHARED_COST = "shared-cost"
    TOLL_FREE = "toll-free"
    SATELLITE = "satellite"
    OTHER = "other"


class NotCanonical(StrEnum):
    """Why a number has no international form."""

    WITHHELD = "withheld"  # there is no number at all
    INTERNAL = "internal"  # a number of this PBX
    MALFORMED = "malformed"  # not digits, or too many characters
    UNASSIGNED = "unassigned"  # no reading of it is a number of any numbering plan


@dataclass(frozen=True, slots=True)
class Canonical:
    """What a raw number turned out to be. `e164` is "+" and digits, or None with the `reason`.

    `region` is the alpha-2 code of the number's country, "001" for one without country, else empty.
    """

    raw: str
    e164: str | None = None
    kind: NumberKind = NumberKind.OTHER
    region: str = ""
    reason: NotCanonical | None = None

    @property
    def can_get_sms(self) -> bool:
        """Whether the number's range may belong to a mobile phone."""
        return self.kind in (NumberKind.MOBILE, NumberKind.FIXED_OR_MOBILE)


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Internal numbers from `first` to `last`, both included and of the same length."""

    first: str
    last: str

    def __post_init__(self) -> None:
        is_pair = self.first.isdecimal() and self.last.isdecimal() and len(self.first) == len(self.last)
        if not is_pair or not self.first.isascii() or not self.last.isascii() or self.first > self.last:
            raise ValueError("a range of numbers needs two of the same length, the smaller one first")

    def __contains__(self, number: str) -> bool:
        return len(number) == len(self.first) and self.first <= number <= self.last


@dataclass(frozen=True, slots=True)
class DialPlan:
    """How numbers are dialled on one site.

    `country` is ISO 3166-1 alpha-2. A prefix of None is the country's own; an empty one means that the site
    has none. `installation_number` is the company's public number, in any form this plan can read.
    Raises ValueError, naming the field and not its value.
    """

    country: str
    outbound_prefix: str = "0"
    national_prefix: str | None = None
    international_prefix: str | None = None
    installation_number: str = ""
    internal_ranges: tuple[NumberRange, ...] = ()

    def __post_init__(self) -> None:
        if _COUNTRY.match(self.country) is None or _numbering(self.country).calling_code == "0":
            raise ValueError("country: not the two-letter code of a country with a numbering plan")
        for name in ("outbound_prefix", "national_prefix", "international_prefix"):
            prefix = getattr(self, name)
            if prefix is not None and _PREFIX.match(prefix) is None:
                raise ValueError(f"{name}: more than 8 characters, or not digits")
        if len(self.internal_ranges) > MAX_INTERNAL_RANGES:
            raise ValueError(f"internal_ranges: more than {MAX_INTERNAL_RANGES}")

    def is_internal(self, number: str) -> bool:
        """Whether `number` is one of this PBX's own by its range."""
        return any(number in internal for internal in self.internal_ranges)

    def is_own(self, number: Canonical) -> bool:
        """Whether `number` is the installation's own public number."""
        return number.e164 is not None and number.e164 == _own_number(self)

    def canonical(self, raw: str, reach: Reach = Reach.UNKNOWN) -> Canonical:
        """The international form of `raw` as the PBX shows it. Never raises.

        A leading "+" is international at once. Otherwise these readings are tried, and the first that is a
        number of its country's plan wins; in each step the trunk prefix is taken off once, twice, not at all:

        1. a number of the site's country with its national prefix;
        2. the international prefix, then a country code;
        3. a number of the site's country without any prefix.

        The home country comes first because "00" and a trunk prefix "0" before "0" look the same, and a
        message to a stranger abroad is the worse mistake.
        """
        if not raw:
            return Canonical(raw, reason=NotCanonical.WITHHELD)
        if reach is Reach.INTERNAL or (reach is Reach.UNKNOWN and self.is_internal(raw)):
            return Canonical(raw, reason=NotCanonical.INTERNAL)
        dialled = raw.translate(_SEPARATORS) if len(raw) <= MAX_NUMBER_CHARS else ""
        if _DIALLED.match(dialled) is None:
            return Canonical(raw, reason=NotCanonical.MALFORMED)
        if dialled.startswith("+"):
            return _read_international(raw, dialled) or Canonical(raw, reason=NotCanonical.UNASSIGNED)
        found = next(filter(None, self._readings(raw, dialled)), None)
        return found or Canonical(raw, reason=NotCanonical.UNASSIGNED)

    def dialled(self, number: str) -> Canonical:
        """The international form of `number` as a set dials it, read as the network will. Never raises.

        Nothing is guessed here: the trunk prefix comes first, then the international or the national one. A
        number that only makes sense without one of them is another one in the network, e.g. 0-112-...
        """
        trunk = self.outbound_prefix
        if _DIALLED.match(number) is None or number.startswith("+"):
            return Canonical(number, reason=NotCanonical.MALFORMED)
        found = self._read_dialled(number, number[len(trunk) :]) if number.startswith(trunk) else None
        return found or Canonical(number, reason=NotCanonical.UNASSIGNED)

    def _read_dialled(self, raw: str, rest: str) -> Canonical | None:
        national, abroad = self._prefixes()
        if abroad and rest.startswith(abroad):
            return _read_international(raw, f"+{rest[len(abroad) :]}")
        if not rest.startswith(national):
            return None
        return _read_exact(raw, f"+{_numbering(self.country).calling_code}{rest[len(national) :]}")

    def _prefixes(self) -> tuple[str, str]:
        """The national and the international prefix, the country's own where the site has none of its own."""
        country = _numbering(self.country)
        national = country.national_prefix if self.national_prefix is None else self.national_prefix
        abroad = (
            country.international_prefix if self.international_prefix is None else self.international_prefix
        )
        return national, abroad

    def _readings(self, raw: str, dialled: str) -> Iterator[Canonical | None]:
        country = _numbering(self.country)
        national, abroad = self._prefixes()
        rests = self._without_trunk(dialled)
        for rest in rests:
            if rest.startswith(national):
                yield _read_exact(raw, f"+{country.calling_code}{rest[len(national) :]}")
        for rest in rests:
            if abroad and rest.startswith(abroad):
                yield _read_international(raw, f"+{rest[len(abroad) :]}")
        for rest in rests:
            yield _read_exact(raw, f"+{country.calling_code}{rest}")

    def _without_trunk(self, dialled: str) -> tuple[str, ...]:
        trunk = self.outbound_prefix
        if not trunk or not dialled.startswith(trunk):
            return (dialled,)
        once = dialled[len(trunk) :]
        if not once.startswith(trunk):
            return (once, dialled)
        return (once, once[len(trunk) :], dialled)


@dataclass(frozen=True, slots=True)
class _Numbering:
    calling_code: str
    national_prefix: str
    international_prefix: str


@lru_cache(maxsize=8)
def _numbering(country: str) -> _Numbering:
    """The country's calling code ("0" if it has none) and the prefixes that are dialled in it."""
    import phonenumbers

    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    if metadata is None:
        return _Numbering("0", "", "")
    abroad = metadata.preferred_international_prefix or metadata.international_prefix or ""
    # The metadata marks a second dial tone with "~"; and a pattern stands where each carrier has a prefix.
    abroad = abroad.replace("~", "")
    return _Numbering(
        str(metadata.country_code), metadata.national_prefix or "", abroad if abroad.isdecimal() else ""
    )


@lru_cache(maxsize=8)
def _own_number(plan: DialPlan) -> str | None:
    return plan.canonical(plan.installation_number, Reach.EXTERNAL).e164


@dataclass(frozen=True, slots=True)
class _Drama:
    prefix: str
    length: int
    region: str
    kind: NumberKind


# Ranges that regulators keep free for films and tests, which phone number libraries do not call valid.
# Nobody owns such a number, so a demonstration can't reach a stranger.
_DRAMA = (
    _Drama("+3363998", 12, "FR", NumberKind.MOBILE),  # Arcep, decision 2018-0881
    _Drama("+447700900", 13, "GB", NumberKind.MOBILE),  # Ofcom, numbers for drama use
    _Drama("+441632960", 13, "GB", NumberKind.FIXED),
)

# Satellite and other global networks: a message costs many times the usual, and none is a customer's phone.
_SATELLITE_CODES = frozenset({870, 881, 882, 883})


def _read_exact(raw: str, candidate: str) -> Canonical | None:
    """`candidate` if it is a number exactly as it stands: a second national prefix in it does not count."""
    found = _read_international(raw, candidate)
    return found if found is not None and found.e164 == candidate else None


def _read_international(raw: str, candidate: str) -> Canonical | None:
    import phonenumbers

    for drama in _DRAMA:
        if candidate.startswith(drama.prefix) and len(candidate) == drama.length:
            return Canonical(raw, candidate, drama.kind, drama.region)
    try:
        number = phonenumbers.parse(candidate, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Canonical(raw, e164, _kind(number), phonenumbers.region_code_for_number(number) or "")


def _kind(number: "PhoneNumber") -> NumberKind:
    import phonenumbers

    if number.country_code in _SATELLITE_CODES:
        return NumberKind.SATELLITE
    types = phonenumbers.PhoneNumberType
    kinds = {
        types.MOBILE: NumberKind.MOBILE,
        types.FIXED_LINE: NumberKind.FIXED,
        types.FIXED_LINE_OR_MOBILE: NumberKind.FIXED_OR_MOBILE,
        types.PREMIUM_RATE: NumberKind.PREMIUM,
        types.SHARED_COST: NumberKind.SHARED_COST,
        types.TOLL_FREE: NumberKind.TOLL_FREE,
    }
    return kinds.get(phonenumbers.number_type(number), NumberKind.OTHER)
