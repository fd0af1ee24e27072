"""The REST calls against their own OpenAPI description, with generated requests, right and wrong."""

import random
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from simulators.gateway.app import create_web
from simulators.gateway.gateway import Gateway, Options
from tests.simulators.gateway.agents import VirtualClock

GATEWAY = Gateway(Options(), VirtualClock(), random.Random(11).randbytes)
schema = schemathesis.openapi.from_asgi("/openapi.json", create_web(GATEWAY))


def _has_equal_prefixes(body: object) -> bool:
    """A rule across fields, which a schema can't tell: equal prefixes are refused with 400601."""
    if not isinstance(body, dict) or not body.get("pbxNationalPrefix"):
        return False
    return bool(body["pbxNationalPrefix"] == body.get("pbxInternationalPrefix"))


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_every_call_keeps_to_its_description(case: Case[Any]) -> None:
    case.headers["Authorization"] = f"Bearer {GATEWAY.admin_token}"
    case.call_and_validate(
        excluded_checks=[positive_data_acceptance] if _has_equal_prefixes(case.body) else []
    )


def test_the_description_names_every_call_of_the_issue() -> None:
    paths = schema.raw_schema["paths"]
    base = "/api/rainbow/admin/v1.0/systems"
    assert {"get", "post"} <= paths[base].keys()
    for path in ("/{system_id}", "/pbxid/{pbx_id}", "/{system_id}/state", "/{system_id}/phone-numbers"):
        assert "get" in paths[base + path]
    assert all("422" not in call["responses"] for calls in paths.values() for call in calls.values())
