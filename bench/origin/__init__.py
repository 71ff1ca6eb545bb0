"""The origin beside nginx: how much a core sends, and what it costs."""
