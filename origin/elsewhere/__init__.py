"""Media that stay elsewhere, at a site's CDN: what they must hash to, and nothing else of them.

::

    ?url=URL --> Places: is it allowed, and what is its one name, whatever token it carries?
                   |
                   v
    Answers --> Shelf, a Source: playlists without tokens, what is known of files --> Catalog
                   |
                   +-- Fetcher --> the CDN, within the Allowance, by the Tickets that were brought

The name of a playlist or file is its *canonical URL*. It stands where the path below ``/media/``
stands for media of ours, and cannot be one: no path has an empty part, and ``https://`` has.
"""
