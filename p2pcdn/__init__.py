"""p2pcdn: viewers' browsers carry most of a site's video; the origin fills the gaps.

This package is the shared core: what may be said (`wire`), what is decided (`core`), and the
command line that puts the servers and peers together (`cli`).
"""

__version__ = "0.1.0"
