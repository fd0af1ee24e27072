"""`python -m bench [NAME …] [--quick] [--json]`: each benchmark in a process of its own, then the report."""

import argparse
import asyncio
import importlib
import json
import subprocess
import sys

from bench.cores import top
from bench.figures import Figure, figure_of, report
from bench.machine import machine_line
from bench.rounds import NORMAL, QUICK, tell

# In the order of the report. The pipeline goes first: it is the one that a warm machine hurts most.
NAMES = ("pipeline", "peer", "codecs", "startup", "fleet", "backlog")


def main() -> None:
    """Measure and print; the exit code says only whether measuring worked, never whether goals were met."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all if none")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, to try it out")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    machine = machine_line()
    names = options.names or NAMES
    figures: list[Figure] = []
    for name in names:
        figures += (
            _measured(name, is_quick=options.quick)
            if len(names) == 1
            else _measured_apart(name, is_quick=options.quick)
        )
    sys.stdout.write(report(machine, figures, as_json=options.as_json) + "\n")


def _measured(name: str, *, is_quick: bool) -> list[Figure]:
    module = importlib.import_module(f"bench.{name}")
    figures: list[Figure] = asyncio.run(module.run(QUICK if is_quick else NORMAL))
    return figures


def _measured_apart(name: str, *, is_quick: bool) -> list[Figure]:
    """A new interpreter for each: what one imports or leaves behind must not weigh on the next."""
    tell(f"{name} …")
    command = [sys.executable, "-m", "bench", name, "--json", *(["--quick"] if is_quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=top())  # noqa: S603 - ourselves
    return [figure_of(record) for record in json.loads(done.stdout)["figures"]]


if __name__ == "__main__":
    main()
