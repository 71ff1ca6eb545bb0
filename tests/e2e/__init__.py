"""The main job on real media, in real browsers, over real data channels."""
