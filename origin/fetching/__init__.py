"""Fetching from other servers, of which an operator named each."""
