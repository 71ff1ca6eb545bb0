"""Slow and flooding clients against a server with honest ones, too: ``python -m bench.siege``."""
