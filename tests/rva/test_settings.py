import tomllib
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from connector.domain.invitations import InvitationOptions
from connector.rva.settings import RvaSettings

WHOLE = """
enabled = true
hub_url = "https://127.0.0.1:8443/prefix/"
ca_file = "/etc/oxbridge/hub.pem"
countries = ["FR", "BE"]

[[rules]]
device = "3001"
agent_id = "5f0c0ffee0c0ffee0c0ffee0"
when = "delivered"
options = { use_rear_camera = false, mirror_mode = true }

[[rules]]
device = "3002"
agent_id = "5f0c0ffee0c0ffee0c0ffee1"
"""


def test_a_whole_table_reads(tmp_path: Path) -> None:
    ca_file = tmp_path / "hub.pem"
    trustme.CA().cert_pem.write_to_path(str(ca_file))
    settings = RvaSettings.model_validate(tomllib.loads(WHOLE.replace("/etc/oxbridge/hub.pem", str(ca_file))))
    assert settings.ca_file == str(ca_file)
    assert settings.hub_url == "https://127.0.0.1:8443/prefix"
    assert settings.per_number_interval_seconds == 600
    assert [rule.when for rule in settings.rules] == ["delivered", "established"]
    assert settings.rules[0].options.to_domain() == InvitationOptions(use_rear_camera=False, mirror_mode=True)
    assert settings.rules[1].options.to_domain() == InvitationOptions()


def test_nothing_is_invited_by_default() -> None:
    assert not RvaSettings().enabled


def rule(**values: Any) -> dict[str, Any]:
    return {"rules": [{"device": "3001", "agent_id": "a1", **values}]}


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"ca_file": "/nonexistent/hub.pem"}, ("ca_file",)),
        ({"ca_file": "/dev/null"}, ("ca_file",)),
        ({"hub_url": "http://127.0.0.1"}, ("hub_url",)),
        ({"hub_url": "https://"}, ("hub_url",)),
        ({"hub_url": "https://host:99999"}, ("hub_url",)),
        ({"hub_url": "https://user:word@host"}, ("hub_url",)),
        ({"hub_url": "https://host/?a=b"}, ("hub_url",)),
        ({"hub_url": "https://host/#a"}, ("hub_url",)),
        ({"timeout_seconds": 0}, ("timeout_seconds",)),
        ({"per_number_interval_seconds": 59}, ("per_number_interval_seconds",)),
        ({"countries": ["fr"]}, ("countries", 0)),
        ({"hub": "x"}, ("hub",)),
        (rule(device="x"), ("rules", 0, "device")),
        (rule(agent_id="a&clientPhone=1"), ("rules", 0, "agent_id")),
        (rule(when="held"), ("rules", 0, "when")),
        (rule(options={"autoAnswer": True}), ("rules", 0, "options", "autoAnswer")),
        ({"rules": rule()["rules"] * 2}, ()),
    ],
)
def test_a_wrong_setting_is_refused_at_its_place(
    values: dict[str, Any], place: tuple[str | int, ...]
) -> None:
    with pytest.raises(ValidationError) as refused:
        RvaSettings.model_validate(values)
    assert [error["loc"] for error in refused.value.errors()] == [place]
    assert "word" not in str(refused.value)
