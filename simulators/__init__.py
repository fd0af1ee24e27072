"""The far ends: PBXs, the PBX Cloud Gateway and the RVA hub, for tests, demos and integrators."""
