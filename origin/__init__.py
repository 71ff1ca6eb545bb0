"""The origin: media, their manifests and the browser snippet, by HTTP."""
