"""Several trackers as one: the nodes, and the store (Valkey or Redis) by which they meet.

::

    Nodes --every half second, and when there is news--> one batch to the store
      |-- Registry   who is there: each content is at home at one of them
      |-- Decrees    what the operator said last of the sites, at whichever node
      |-- Joins      how many came from an address, at all of them together
      '-- Totals     what each has counted, for sums

The store is on no message's way. While it is away each node goes on with whom it knew, and matches
whoever is with it.
"""
