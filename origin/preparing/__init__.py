"""Makes contents out of media files: what `p2pcdn add` does."""
