"""The Rainbow PBX Cloud Gateway: docs/protocols/pcg.md."""
