"""What encoders put by HTTP: segments and playlists of live streams.

::

    PUT /ingest/live/7.ts  --> Access --> Places --> body: bounds --> Draft: aside, hashed
                                                                        |
    PUT /ingest/live/a.m3u8 --> ... --> playlists: all that it names    v
                                        is there, or it waits --> in its place, at once --> Catalog
                                                                        |
                                                      Window: deleted in time
"""
