"""How fast native peers' links are: ``python -m bench.native``."""
