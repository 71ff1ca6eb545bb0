"""What the origin has, and what it must hash to: playlists, editions, hashes and pages."""
