"""What a tracker carries on one core: beside `bittorrent-tracker`, and by itself."""
