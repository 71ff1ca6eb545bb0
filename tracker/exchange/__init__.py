"""Between processes that share the swarms: guests whose socket is at one place and whose swarm is
at home at another.

::

    where the socket is                                             where the swarm is
    Guest --> Outward --opened, said, closed, notes--> [a stream] --> Inward --> Realm
          <--            <--tell, dismissed, sent back--                  <--  Distant

A *place* is a process. Each place dials every other: over the stream that it dialled go its guests,
and what it has to note there. Messages cross as the bytes that came over the socket, so nobody but
who thinks for a swarm decodes them. What is to be sent in one turn of the loop goes in one write. A
place that takes less than it is sent, or that breaks off, is gone: its guests here have left, and
ours there are told to come back in a moment.
"""
