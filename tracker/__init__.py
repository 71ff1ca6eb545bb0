"""The tracker: who watches what, who should link to whom, and what that saved.

Deciding is the business of `p2pcdn.core.swarm` and `p2pcdn.core.ledger`; this package is the shell
around them: sockets, limits, STUN, and the figures for people.
"""
