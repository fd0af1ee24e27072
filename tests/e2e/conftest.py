"""A site for each test; afterwards no process and no socket of it is left."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from connector.domain.identifiers import PbxKind
from tests.e2e.sites import Site


@pytest_asyncio.fixture
async def site(tmp_path: Path, no_task_left: None) -> AsyncIterator[Site]:
    """An OXE's site, not started yet."""
    made = Site(PbxKind.OXE, tmp_path)
    try:
        yield made
    finally:
        await made.aclose()
    assert not made.agent.is_running
    assert "Traceback" not in made.log()
    assert '"exception"' not in made.log()
