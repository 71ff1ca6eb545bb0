"""Native peers that are killed, beside viewers who watch."""
