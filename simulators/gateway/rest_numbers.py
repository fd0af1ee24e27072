"""The administration's calls about phone numbers, which are made from the device list that the agent sent."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from simulators.gateway.gateway import Gateway
from simulators.gateway.number_schemas import ChangedNumber, PhoneNumberOut
from simulators.gateway.phonebook import Link, PhoneNumber
from simulators.gateway.rest_errors import RestError, error_responses
from simulators.gateway.rest_paging import Id, Page, known_system
from simulators.gateway.schemas import Many, One
from simulators.gateway.systems import System

# What a caller waits for the gateway and its agent (docs/protocols/pcg.md, section 8).
CONFIRM_SECONDS = 10.0


def add_phone_numbers(router: APIRouter, gateway: Gateway) -> None:
    """The calls, on the administration's router."""
    _add_reading(router, gateway)
    _add_changing(router, gateway)


def _add_reading(router: APIRouter, gateway: Gateway) -> None:
    @router.get("/systems/{system_id}/phone-numbers", response_model_exclude_unset=True)
    async def list_phone_numbers(
        system_id: Id,
        page: Annotated[Page, Depends()],
        short_number: Annotated[str | None, Query(alias="shortNumber")] = None,
        name: Annotated[str | None, Query(description="start of the first or last name")] = None,
        sort_field: Annotated[Literal["shortNumber"], Query(alias="sortField")] = "shortNumber",
    ) -> Many[PhoneNumberOut]:
        """The phone numbers made from the device list that the agent sent."""
        system = known_system(gateway, system_id)

        def takes(entry: PhoneNumber) -> bool:
            device = entry.device
            if short_number is not None and not device.number.startswith(short_number):
                return False
            names = (device.first_name.lower(), device.name.lower())
            return name is None or any(known.startswith(name.lower()) for known in names)

        return page.cut(
            [entry for entry in system.phone_book.numbers() if takes(entry)],
            lambda entry: entry.device.number,
            lambda entry: PhoneNumberOut.of(system, entry, page.format),
        )

    @router.get("/systems/{system_id}/phone-numbers/{number_id}", response_model_exclude_unset=True)
    async def read_phone_number(system_id: Id, number_id: Id) -> One[PhoneNumberOut]:
        """One phone number."""
        system, entry = _known(gateway, system_id, number_id)
        return One(data=PhoneNumberOut.of(system, entry, "full"))


def _add_changing(router: APIRouter, gateway: Gateway) -> None:
    @router.put(
        "/systems/{system_id}/phone-numbers/{number_id}",
        response_model_exclude_unset=True,
        responses=error_responses(500),
    )
    async def change_phone_number(system_id: Id, number_id: Id, body: ChangedNumber) -> One[PhoneNumberOut]:
        """Link a number to a user, monitor it or not, rename it.

        Answered when the agent has taken it; an agent that is away is told when it is back. One that does not
        take it leaves everything as it was: 500 with details code 500600.
        """
        system, entry = _known(gateway, system_id, number_id)
        _check(system, entry, body)
        if not await _is_taken(gateway, system, entry, body.applied(entry.link)):
            gateway.take_back(system, entry)
            raise RestError(500, "the agent did not take the change", code=500600)
        return One(data=PhoneNumberOut.of(system, system.phone_book.find(number_id) or entry, "full"))


async def _is_taken(gateway: Gateway, system: System, entry: PhoneNumber, link: Link) -> bool:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def taken(wrong: str) -> None:
        if not answer.done():
            answer.set_result(wrong)

    gateway.link(system, entry, link, taken)
    try:
        async with asyncio.timeout(CONFIRM_SECONDS):
            return not await answer
    except TimeoutError:
        return False


def _known(gateway: Gateway, system_id: str, number_id: str) -> tuple[System, PhoneNumber]:
    system = known_system(gateway, system_id)
    entry = system.phone_book.find(number_id)
    if entry is None:
        raise RestError(404, "no such phone number")
    return system, entry


def _check(system: System, entry: PhoneNumber, body: ChangedNumber) -> None:
    if body.internal_number is None:
        return
    other = system.phone_book.by_internal_number(body.internal_number)
    if other is not None and other.id != entry.id:
        raise RestError(409, "the internal number is already used", code=409552)
