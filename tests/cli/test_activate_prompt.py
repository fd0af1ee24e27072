"""The code typed at a terminal is not shown there."""

import asyncio
import os
import pty
import sys
from pathlib import Path

from tests.agent.fake_agent import RIGHT_CODE, FakeAgent, controlled


async def test_the_prompt_hides_what_is_typed(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    terminal, keyboard = pty.openpty()
    async with controlled(FakeAgent(), path) as agent:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / "oxbridge",
            "activate",
            "--socket",
            path,
            stdin=keyboard,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # no controlling terminal: the prompt falls back to standard input
        )
        assert process.stderr is not None
        async with asyncio.timeout(5):
            asked = await process.stderr.readuntil(b"Activation code: ")
            os.write(terminal, f"{RIGHT_CODE}\n".encode())
            said, talk = await process.communicate()
    os.close(keyboard)
    os.set_blocking(terminal, False)
    try:
        echoed = os.read(terminal, 1_000)
    except OSError:  # nothing was echoed, or the other side is closed
        echoed = b""
    os.close(terminal)
    assert process.returncode == 0
    assert agent.codes == [RIGHT_CODE]
    assert RIGHT_CODE.encode() not in asked + said + talk + echoed
