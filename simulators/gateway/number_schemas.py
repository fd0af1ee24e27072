"""The bodies of the calls about phone numbers, spelled as on the wire."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from simulators.gateway.phonebook import Link, PhoneNumber
from simulators.gateway.schemas import Country, Format, Wire, Word
from simulators.gateway.systems import System

UserId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,64}$")]
# Of a device inside the company: digits, with a star or hash for services.
InternalNumber = Annotated[str, StringConstraints(pattern=r"^[0-9*#]{1,32}$")]
# As people write it: normalising it is the real portal's business.
Number = Annotated[str, StringConstraints(pattern=r"^[0-9*#+ ().-]{0,32}$")]


class ChangedNumber(Wire):
    """The body of PUT on a phone number: what is given changes. An empty userId unlinks the user."""

    is_monitored: bool | None = None
    user_id: UserId | None = None
    internal_number: InternalNumber | None = None
    number: Number | None = None
    country: Country | None = None
    type: Literal["home", "work", "other"] | None = None
    device_type: Literal["landline", "mobile", "fax", "other"] | None = None
    first_name: Word | None = None
    last_name: Word | None = None
    device_name: Word | None = None
    is_visible_by_others: bool | None = None

    def applied(self, link: Link) -> Link:
        """`link` with what is given. A number without a user is not monitored for anybody."""
        given = self.model_dump(exclude_none=True)
        if given.get("user_id") == "":
            given["user_id"] = None
        return replace(link, **given)


class PhoneNumberOut(Wire):
    """A phone number of a system, made from a device of its list. Fields outside the format are not sent."""

    id: str
    short_number: str
    internal_number: str
    number_e164: str | None = Field(default=None, alias="numberE164")
    voice_mail_number: str | None = None
    number: str | None = None
    is_from_system: bool | None = None
    pbx_id: str | None = None
    system_id: str | None = None
    pbx_user_id: str | None = None
    user_id: str | None = None
    country: str | None = None
    type: str | None = None
    device_type: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    device_name: str | None = None
    is_monitored: bool | None = None
    is_nomadic: bool | None = None
    is_visible_by_others: bool | None = None

    @classmethod
    def of(cls, system: System, entry: PhoneNumber, form: Format) -> "PhoneNumberOut":
        """The number in one of the three formats."""
        fields: dict[str, object] = {
            "id": entry.id,
            "short_number": entry.device.number,
            "internal_number": entry.internal_number,
            "number_e164": "",
        }
        if form != "small":
            fields |= {
                "voice_mail_number": "",
                "number": entry.link.number,
                "is_from_system": True,
                "pbx_id": system.pbx_id,
                "system_id": system.id,
            }
        if form == "full":
            fields |= _link_fields(system, entry)
        return cls.model_validate(fields)


def _link_fields(system: System, entry: PhoneNumber) -> dict[str, object]:
    device, link = entry.device, entry.link
    first = device.first_name if link.first_name is None else link.first_name
    last = device.name if link.last_name is None else link.last_name
    return {
        "pbx_user_id": "",
        "user_id": link.user_id,
        "country": system.profile.country if link.country is None else link.country,
        "type": link.type,
        "device_type": link.device_type,
        "first_name": first,
        "last_name": last,
        "device_name": f"{first} {last}".strip() if link.device_name is None else link.device_name,
        "is_monitored": link.is_monitored,
        "is_nomadic": False,
        "is_visible_by_others": True if link.is_visible_by_others is None else link.is_visible_by_others,
    }
