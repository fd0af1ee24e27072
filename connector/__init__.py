"""The agent on site: plays the CCCtrlA role between a PBX and the Rainbow cloud."""

__version__ = "0.1.0"
