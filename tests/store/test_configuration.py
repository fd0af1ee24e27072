"""The cloud's configuration on disk: whole sets, in a real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.domain.configuration import CloudSettings, Monitored, RuleText
from connector.store.configuration import ConfigurationTable, StoredConfiguration, create_configuration
from connector.store.writer import Writer

SETTINGS = CloudSettings(
    17, "FR", "0", False, "0", "00", "+33199001200", (RuleText("^7(.*)$", r"0033\1", "é"),), 60.0
)
MONITORS = (Monitored("3001", "anna"), Monitored("3002"))


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    writer = Writer(tmp_path / "store.db", (create_configuration,))
    await writer.start()
    yield writer
    await writer.aclose()


async def test_each_set_replaces_the_one_before(writer: Writer) -> None:
    table = ConfigurationTable(writer)
    assert await table.load() == StoredConfiguration()
    await table.save_settings(CloudSettings(16))
    await table.save_settings(SETTINGS)
    assert await table.load() == StoredConfiguration(SETTINGS, None)
    await table.save_monitors(())
    assert await table.load() == StoredConfiguration(SETTINGS, ()), (
        "nobody to watch is not the same as never told"
    )
    await table.save_monitors(MONITORS)
    assert await ConfigurationTable(writer).load() == StoredConfiguration(SETTINGS, MONITORS)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"revision": 1, "new": 2, "rules": []}', '{"rules": [{"x": 1}]}']
)
async def test_a_row_that_can_not_be_read_is_as_good_as_none(writer: Writer, content: str) -> None:
    table = ConfigurationTable(writer)
    await table.save_monitors(MONITORS)
    await writer.submit(
        lambda connection: connection.execute("INSERT INTO configuration VALUES ('settings', ?)", (content,))
    )
    assert await table.load() == StoredConfiguration(None, MONITORS)
