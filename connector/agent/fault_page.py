"""Makes docs/faults.md from the catalogue: `python -m connector.agent.fault_page > docs/faults.md`."""

import sys
from typing import Final

from connector.domain.faults import FAULTS, FaultId

_HEAD: Final = """\
# Messages and what to do

Made from `connector/domain/faults.py` by `python -m connector.agent.fault_page`: do not edit.
The same words stand in `oxbridge status`; the ids in the log and in `oxbridge_reconnects_total{reason}`.
"""

# The first word of an id, in the order in which a new site meets them; the rest comes last.
_CHAPTERS: Final = {
    "config": "Settings",
    "agent": "The agent and its control socket",
    "control": "The agent and its control socket",
    "http": "The agent and its control socket",
    "pbx": "The link to the PBX",
    "cloud": "The link to the cloud",
    "proxy": "The link to the cloud",
    "tls": "The link to the cloud",
    "clock": "The link to the cloud",
    "second": "The link to the cloud",
    "settings": "The link to the cloud",
    "not": "The link to the cloud",
    "credentials": "The link to the cloud",
    "store": "The local store",
}
_OTHER: Final = "Events, numbers and invitations"


def page() -> str:
    """The whole page in Markdown, every fault once."""
    chapters: dict[str, list[FaultId]] = {title: [] for title in [*_CHAPTERS.values(), _OTHER]}
    for fault in FaultId:
        chapters[_CHAPTERS.get(fault.value.split("-")[0], _OTHER)].append(fault)
    parts = [_HEAD]
    for title, faults in chapters.items():
        parts.append(f"## {title}\n")
        parts += [_entry(fault) for fault in faults]
    return "\n".join(parts)


def _entry(fault: FaultId) -> str:
    words = FAULTS[fault]
    advice = f"- Usual cause: {words.cause}\n- What to do: {words.remedy}\n"
    return f"### {words.sentence}\n\n`{fault.value}`\n\n{advice}"


if __name__ == "__main__":
    sys.stdout.write(page())
