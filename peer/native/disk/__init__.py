"""A store on disk: what a peer holds outlives it.

::

    node --put, get--> DiskStore --append, read--> SegmentFile
                          |  what is not written yet, in memory
    Disk: the directory, its lock, its bound, and the thread that writes

    DIR/format                        which version of all this it is
    DIR/lock                          held by the one process that uses it
    DIR/<content>/<ro>/<root>         a segment: the chunks that have come, one after the other

A segment lies under its root, which binds content, rendition, sequence and all its hashes: what is
found there is what the manifest speaks of, or nothing. No index says what is held, so none can be
wrong: a file says it itself, and `Recall` verifies it before anybody hears of it.
"""
