"""Hosting: several services on one port, and the event loop that they run on.

::

    Service (origin, tracker) --routes--> Server --sockets--> run()
                                            |
               errors.py: every failure as JSON;  deadline.py: slow and oversized headers
               admin.py: who may see the figures
               probes.py: /livez, /readyz, /metrics

The servers' shells bring routes and background work; what every HTTP server of ours owes its
clients and its operator is here, once.
"""

from p2pcdn.service.errors import error_response
from p2pcdn.service.loop import run, settle
from p2pcdn.service.server import Server, Service, ssl_context

__all__ = ["Server", "Service", "error_response", "run", "settle", "ssl_context"]
