"""Machines that a test can be on."""

from pathlib import Path

from connector.store.credentials import CredentialsFile
from connector.store.sealing import Host, Sealer

MACHINE = "0123456789abcdef0123456789abcdef"
PBX_ID = "PBX834e-41da"


def credentials_file(
    directory: Path, *, machine: str = MACHINE, pbx_id: str = PBX_ID, systemd: Path | None = None
) -> CredentialsFile:
    """The credentials file of `directory`, as it is opened on `machine`."""
    return CredentialsFile(directory / "credentials.json", Sealer(directory, pbx_id, Host(machine, systemd)))
