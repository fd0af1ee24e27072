"""A process that is asked line by line, and answers each line with one of JSON."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

from bench.cores import near_end, top

# The longest step is the first login of a whole fleet, with 3 ms of PBKDF2 for each agent at both ends.
_ANSWER_SECONDS = 240.0
_END_SECONDS = 20.0


class ChildFailed(RuntimeError):
    """The process ended without an answer."""


class Child:
    """`python -m MODULE ARGUMENTS…`, on the last core or on the one that this process has."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str, *arguments: str, is_near: bool) -> "Child":
        """Start it; it has said nothing yet."""
        command = (sys.executable, "-m", module, *arguments)
        process = await asyncio.create_subprocess_exec(
            *(near_end(*command) if is_near else command), stdin=PIPE, stdout=PIPE, cwd=top()
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    async def ask(self, request: str) -> Any:
        """Its answer to one line."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{request}\n".encode())
        return await self.told()

    async def told(self) -> Any:
        """Its next line."""
        if self._process.stdout is None:
            raise ChildFailed("it has no pipe")
        async with asyncio.timeout(_ANSWER_SECONDS):
            line = await self._process.stdout.readline()
        if not line:
            raise ChildFailed("it ended without an answer")
        return json.loads(line)

    async def aclose(self) -> None:
        """Its standard input ends, and so should it."""
        if self._process.returncode is not None:
            return
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.communicate(b"")
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
