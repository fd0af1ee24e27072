"""Protocol machines and codecs, both roles, without I/O."""
