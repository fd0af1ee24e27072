"""Benchmarks against peers and physical limits: `python -m bench`. See README.md beside this file."""
