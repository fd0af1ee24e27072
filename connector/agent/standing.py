"""How the agent stands apart from its links: what a person gave it, switched, and should know."""

from dataclasses import dataclass

from connector.agent.activation import Activator
from connector.agent.alarms import AlarmBoard
from connector.agent.switch import Switch
from connector.bridge.configuration import ConfigurationDesk


@dataclass(frozen=True, slots=True)
class Standing:
    """Codes, switch, configuration and alarms of one process."""

    activator: Activator
    switch: Switch
    desk: ConfigurationDesk
    alarms: AlarmBoard
