"""What may be said: tracker messages, link messages, frames, manifests.

This package is the one source of the wire formats. `schema` generates the JSON Schema and the
TypeScript types from it; `docs/protocol.md` tells the story.
"""
