"""What is decided: state machines without sockets, files, clocks or unseeded randomness.

Every machine has the same five verbs::

    receive(message, now)      something arrived
    timer_at() -> float|None   when I want to be woken
    on_timer(now)              you woke me
    take_messages()            what is to be sent (drained)
    take_events()              what my owner should know (drained)

so a shell is a loop: feed, drain, send, re-arm one timer. ``now`` is seconds on any clock that
only goes forward.
"""
