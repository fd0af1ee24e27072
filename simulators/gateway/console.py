"""The human page and the simulator's own JSON: read-only, for this machine only."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from connector.domain.devices import DeviceState
from connector.domain.identifiers import Channel
from simulators.gateway.configuration import cloud_settings, monitored
from simulators.gateway.fault_rest import fault_out, limits_out
from simulators.gateway.faults import FAULTS
from simulators.gateway.gateway import Gateway
from simulators.gateway.journal import MAX_ANSWER, Entry, Kind
from simulators.gateway.rest_errors import RestError, error_responses
from simulators.gateway.schemas import EntryOut, iso
from simulators.gateway.systems import System, SystemStatus

# What a person reads on one page; the rest is in the REST calls.
MAX_ROWS = 200
MAX_EVENTS = 50

_STATIC = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "faults.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
# Where the administration says nothing, and where the agent has not.
_OWN, _NO_ANSWER = "the site's own", "not answered yet"
# What a line of the event table shows beside the name, in this order.
_DETAILS = (
    "device",
    "call",
    "calling",
    "called",
    "to",
    "cause",
    "end",
    "user",
    "agent",
    "devices",
    "outcome",
    "method",
    "status",
    "reason",
)


def console_router(gateway: Gateway, app: FastAPI) -> APIRouter:
    """The pages, their assets, and the journal."""
    pages = Environment(
        loader=PackageLoader("simulators.gateway", "pages"), autoescape=True, undefined=StrictUndefined
    )
    router = APIRouter()
    _add_pages(router, gateway, pages)
    _add_journal(router, gateway)
    _add_documentation(router, app, pages)
    return router


def _add_pages(router: APIRouter, gateway: Gateway, pages: Environment) -> None:
    assets = {name: files("simulators.gateway").joinpath("pages", name).read_bytes() for name in _STATIC}

    @router.get("/", include_in_schema=False)
    async def console() -> HTMLResponse:
        return HTMLResponse(pages.get_template("console.html").render(overview(gateway)))

    @router.get("/_sim/systems/{system_id}", include_in_schema=False)
    async def devices(system_id: str) -> HTMLResponse:
        system = gateway.systems.get(system_id)
        if system is None:
            raise RestError(404, "no such system")
        numbers = system.phone_book.numbers()[:MAX_ROWS]
        values = {
            "system": system_row(system),
            "devices": numbers,
            "max_rows": MAX_ROWS,
            "configuration": configuration_rows(system),
            "presences": system.presences,
            "refused": system.answers.refused,
            "is_linked": system.phone_book.is_linked,
        }
        return HTMLResponse(pages.get_template("devices.html").render(values))

    @router.get("/_sim/switches", include_in_schema=False)
    async def switches() -> HTMLResponse:
        values = {"faults": [fault_out(gateway, name) for name in FAULTS], "limits": limits_out(gateway)}
        return HTMLResponse(pages.get_template("faults.html").render(values))

    @router.get("/_sim/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        if name not in _STATIC:
            raise RestError(404, "no such file")
        return Response(assets[name], media_type=_STATIC[name])


def _add_journal(router: APIRouter, gateway: Gateway) -> None:
    @router.get("/_sim/journal", tags=["simulator"], responses=error_responses(400, 403))
    async def journal(
        since: Annotated[int, Query(ge=0, le=2**53, description="only entries with a greater id")] = 0,
        kind: Annotated[Kind | None, Query()] = None,
        system: Annotated[str, Query(max_length=64, description="a system's id")] = "",
        limit: Annotated[int, Query(ge=1, le=MAX_ANSWER)] = 100,
    ) -> list[EntryOut]:
        """What the gateway saw, oldest first. Only from this machine."""
        found = gateway.journal.find(since=since, kind=kind or "", system=system, limit=limit)
        return [EntryOut.of(entry) for entry in found]


def _add_documentation(router: APIRouter, app: FastAPI, pages: Environment) -> None:
    @router.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        """The calls, from the OpenAPI description, in one page without scripts."""
        return HTMLResponse(pages.get_template("docs.html").render(operations=_operations(app.openapi())))


def _operations(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each call of an OpenAPI description, with the fields of its body."""
    models = description["components"]["schemas"]
    operations = []
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            model = models.get(body.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
            operations.append(
                {"method": method.upper(), "path": path, "operation": operation, "body": _fields(model)}
            )
    return operations


def _fields(model: Mapping[str, Any]) -> list[dict[str, str | bool]]:
    needed = model.get("required", ())
    return [
        {"name": name, "is_needed": name in needed, "values": _values(field)}
        for name, field in model.get("properties", {}).items()
    ]


def _values(field: Mapping[str, Any]) -> str:
    """The values that a field takes, in a few words."""
    if "enum" in field:
        return ", ".join(field["enum"])
    if "anyOf" in field:
        return " or ".join(_values(choice) for choice in field["anyOf"])
    return str(field.get("pattern") or field.get("type") or "object")


def overview(gateway: Gateway) -> dict[str, Any]:
    """All that the page shows."""
    systems = sorted(gateway.systems, key=lambda system: system.created_at, reverse=True)
    names = {system.id: system.profile.name for system in systems}
    return {
        "domain": gateway.options.domain,
        "total": len(systems),
        "connected": sum(system.is_connected for system in systems),
        "systems": [system_row(system) for system in systems[:MAX_ROWS]],
        "events": [event_row(entry, names) for entry in gateway.journal.latest(MAX_EVENTS)],
        "seen": gateway.journal.last_id,
        "faults_on": len(list(gateway.faults)),
    }


def system_row(system: System) -> dict[str, Any]:
    """One system as the page shows it."""
    counts = system.phone_book.counts()
    return {
        "id": system.id,
        "name": system.profile.name,
        "pbx_id": system.pbx_id,
        "type": system.profile.type.value,
        "status": system.status.value,
        "shown": shown_status(system),
        "code": system.shown_password(),
        "is_activated": system.status is SystemStatus.ACTIVATED,
        "channels": {channel.value: system.channels[channel] for channel in Channel},
        "agent": system.agent_version,
        "pbx": system.pbx_version,
        "devices": len(system.phone_book),
        "out_of_service": counts[DeviceState.OUT_OF_SERVICE],
        "stored": system.events.stored,
        "duplicates": system.events.duplicates,
        "missing": system.events.missing,
        "since": iso(system.channels_updated_at),
    }


def configuration_rows(system: System) -> list[tuple[str, str]]:
    """What the agent was told of the system's settings, and what it said."""
    told = cloud_settings(system.profile, system.revision)
    rows = [
        ("Revision", f"{told.revision}: {system.answers.settings or _NO_ANSWER}"),
        ("Country", told.country or _OWN),
        ("Outbound prefix", (told.outbound_prefix or _OWN) if told.uses_outbound_prefix else "not used"),
        ("National prefix", told.national_prefix or _OWN),
        ("International prefix", told.international_prefix or _OWN),
        ("Ping timeout", f"{told.ping_timeout_seconds:g} s"),
    ]
    rows += [(f"Rule {n}", f"{rule.match} → {rule.replace}") for n, rule in enumerate(told.rules, start=1)]
    wanted = monitored(system)
    if wanted is None:
        return [*rows, ("Monitored", "what the site's own settings say")]
    count = "1 number" if len(wanted) == 1 else f"{len(wanted)} numbers"
    return [*rows, ("Monitored", f"{count}: {system.answers.monitors or _NO_ANSWER}")]


def shown_status(system: System) -> str:
    """The word of the administration's list: Pending, Running, Degraded or Disconnected."""
    if system.status is not SystemStatus.ACTIVATED:
        return "Pending"
    if not system.is_connected:
        return "Disconnected"
    return "Running" if all(system.channels.values()) else "Degraded"


def event_row(entry: Entry, names: Mapping[str, str]) -> dict[str, Any]:
    """One line of the event table."""
    details = [(key, entry.values[key]) for key in _DETAILS if entry.values.get(key) not in (None, "", [])]
    return {
        "id": entry.id,
        "at": iso(entry.at),
        "time": iso(entry.at)[11:23],
        "system": names.get(entry.system, ""),
        "kind": entry.kind.value,
        "name": entry.name,
        "details": details,
    }
