"""Content types by the ending of a name.

Not the machine's own table: there ``.ts`` is often a Qt translation file.
"""

from __future__ import annotations

_HLS = (".m3u8", ".m3u")
_DASH = (".mpd",)

_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m3u": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".ts": "video/mp2t",
    ".m2ts": "video/mp2t",
    ".m4s": "video/iso.segment",
    ".cmfv": "video/mp4",
    ".cmfa": "audio/mp4",
    ".cmft": "application/mp4",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".m4a": "audio/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".aac": "audio/aac",
    ".ac3": "audio/ac3",
    ".ec3": "audio/eac3",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".vtt": "text/vtt; charset=utf-8",
    ".srt": "application/x-subrip",
    ".ttml": "application/ttml+xml",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".key": "application/octet-stream",
}


def content_type(path: str) -> str:
    """The content type of a file of this name."""
    return _TYPES.get(_ending(path), "application/octet-stream")


def is_playlist(path: str) -> bool:
    """Whether a file of this name is an HLS playlist or a DASH manifest."""
    return _ending(path) in (*_HLS, *_DASH)


def is_hls(path: str) -> bool:
    """Whether a file of this name is an HLS playlist."""
    return _ending(path) in _HLS


def is_mpd(path: str) -> bool:
    """Whether a file of this name is a DASH manifest."""
    return _ending(path) in _DASH


def is_media(path: str) -> bool:
    """Whether a file of this name is something to watch or listen to."""
    return content_type(path).startswith(("video/", "audio/"))


def _ending(path: str) -> str:
    if "://" in path:
        path = path.partition(";")[0]  # the name of a file elsewhere
    name = path.rpartition("/")[2]
    return "." + name.rpartition(".")[2].lower() if "." in name else ""
