"""The simulator: thousands of viewers of the shipping core in one process, on a virtual clock.

::

    scene --> audience --> World.run() --> Results --> table, CSV, pictures
                              |
              clock, network, origin, tracker: what surrounds a node
              shell, player: what a browser does for one

Everything that happens follows from the scene and a seed: the same two give the same trace, to the
byte. What is decided is decided by `p2pcdn.core`; here stands only what the world does to it.
"""
