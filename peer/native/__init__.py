"""The native peer: a process that joins a swarm, keeps its content and seeds it.

::

                 +------------ runner ------------+
    tracker <--> | tracker_client                 |
    origin  <--> | http_source   p2pcdn.core.Node |
    peers   <--> | links -> transport             |
                 +--------------------------------+

`runner` is a loop that feeds the node what its surroundings bring and does what the node says;
nothing in this package decides anything about media.
"""
