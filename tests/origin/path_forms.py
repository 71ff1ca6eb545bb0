"""Two thousand ways to write a path that might lead out of the folder that is served.

What each would come to for a server that decodes once too often, or believes in other separators,
is told by `naive`: without that nobody knows whether the forms are any good.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from itertools import product
from urllib.parse import unquote

UP = (
    "..", "%2e%2e", ".%2e", "%2e.", "%2E%2E", "%252e%252e", ".%252e", "%25252e%25252e", "..;",
    "..;a=b", "..%00", "..%20", "..%09", "%20..", "..%0d", "..%0a", "..%3f", "..%23",
    "%c0%ae%c0%ae", "%c0%2e%c0%2e", "%e0%80%ae%e0%80%ae", "%f0%80%80%ae%f0%80%80%ae",
    "%u002e%u002e", "%uff0e%uff0e", "%ef%bc%8e%ef%bc%8e", "\uff0e\uff0e", "%e2%80%a5",
    "%e2%80%a4%e2%80%a4", "...", "....", "..\u200b", ".\u200b.", "..%e2%80%8b", "..\t", ".. ",
    "..\0", "%2e%2e%2e", "%ff..", "..%ff", "..::$DATA",
)  # fmt: skip
"""The folder above, or what might be taken for it."""

SEPARATORS = (
    "/", "%2f", "%2F", "%252f", "\\", "%5c", "%5C", "%255c", "//", "/./", "/%2e/", "/.//", "\\/",
    "/\\", "%c0%af", "%e0%80%af", "%c1%9c", "%ef%bc%8f", "\uff0f", "%u2215", "%e2%88%95", "/%00/",
    ";/", "/;/", "%2f/", "%5c/", "/%20/", "/%0a/", "?/", "#/", "\t/",
)  # fmt: skip

TARGETS = ("secret", "data/secret")
"""Where a secret is, from the folder above the content."""

ABSOLUTE = (
    "/SECRET", "//SECRET", "///SECRET", "%2fSECRET", "%2f%2fSECRET", "\\SECRET", "\\\\SECRET",
    "%5cSECRET", "./SECRET", ".//SECRET", "%2e//SECRET", "C:/SECRET", "C:SECRET", "C:\\SECRET",
    "c%3a%2fSECRET", "C%3A%5CSECRET", "\\\\?\\C:\\SECRET", "\\\\.\\C:\\SECRET",
    "//localhost/C$/SECRET", "file:SECRET", "file:/SECRET", "file://SECRET", "file:///SECRET",
    "file%3a%2f%2f%2fSECRET", "~SECRET", "~root/SECRET", "~/../SECRET", "/proc/self/root/SECRET",
    "/proc/self/cwd/SECRET", "//proc/self/fd/3", "/dev/fd/0", "jar:file:///SECRET!/",
    "zip://SECRET", "data:,SECRET", "http://127.0.0.1/SECRET", "%00/SECRET", "a%00/SECRET",
    "/%2e%2e/SECRET", "a/b//SECRET", "a/%2fSECRET", "a%2f%2fSECRET",
)  # fmt: skip
"""SECRET stands for the secret's own path."""

HIDDEN = (
    ".hidden/secret", ".git/config", "%2ehidden/secret", "%2egit/config", "%2Egit%2fconfig",
    ".GIT/config", "show/.hidden/secret", "show/%2ehidden/secret", "./.git/config",
    "show/../.git/config", ".git", ".git/", ".git//config", ".git%2fconfig", ".git\\config",
    "%252egit/config", ".git/./config", ".git/config%00.ts", ".git/config%20", ".git/config.",
    ".git/config/", ".git::$INDEX_ALLOCATION/config", ".git%ef%bc%8fconfig", "\u200b.git/config",
    "%20.git/config", ".hidden", "...", ".%00git/config",
)  # fmt: skip

LINKS = (
    "link", "link.ts", "folder/secret", "folder/data/secret", "folder/./secret", "folder//secret",
    "folder/../secret", "folder%2fsecret", "folder\\secret", "show/up/secret", "show/up/../secret",
    "loop", "loop/loop/loop", "folder", "folder/", "show/up/content/show/up/secret",
)  # fmt: skip

PREFIXES = ("/media/", "/manifest/")

ODD_PREFIXES = (
    "/media", "/media//", "/MEDIA/", "/Media/", "//media/", "/./media/", "/x/../media/",
    "/media/../", "/%6dedia/", "/media%2f", "/media\\", "/media;/", "/media/%2e/",
    "/manifest/../media/", "/media?/", "/media%00/", "media/", "../media/", "http://x/media/",
    "http://x/media//", "http://x:80/media/", "http://user@x/media/", "https://x/media/",
    "file:///media/", "http:///media/", "http:/media/", "ftp://x/media/", "//x/media/",
    "x:/media/", "http://x/../media/", "http://media/", "*/media/", "?/media/", "#/media/",
)  # fmt: skip
"""What a request line can have in front of a path (RFC 9112, 3.2), and what it cannot."""


def traversals() -> Iterator[str]:
    """Up, and up again, each way with each separator."""
    for up, separator in product(UP, SEPARATORS):
        yield f"{up}{separator}{TARGETS[0]}"
    for up, separator in product(UP[:20], SEPARATORS[:12]):
        yield f"show{separator}{separator.join([up] * 2)}{separator}{TARGETS[1]}"
        yield f"{separator.join([up] * 8)}{separator}SECRET"
    for depth in range(2, 8):
        for up in UP[:6]:
            yield f"{'a/' * depth}{'/'.join([up] * (depth + 1))}/{TARGETS[0]}"
    yield from ("a" * 5000 + "/../" * 3 + "secret", "../" * 2000 + "secret", "a/" * 3000 + "b")


def forms(secret: str) -> list[str]:
    """What may stand behind ``/media/``; ``secret`` is an absolute path without its first slash."""
    below = [*traversals(), *ABSOLUTE, *HIDDEN, *LINKS]
    return list(dict.fromkeys(form.replace("SECRET", secret) for form in below))


def targets(secret: str) -> list[str]:
    """What may stand in a request line in all."""
    found = [f"{PREFIXES[0]}{form}" for form in forms(secret)]
    ways = ("../secret", "%2e%2e/secret", ".git/config", f"/{secret}", "link.ts", "..\\secret")
    found += [f"{prefix}{way}" for prefix in (*ODD_PREFIXES, PREFIXES[1]) for way in ways]
    return list(dict.fromkeys(found))


def naive(form: str) -> set[str]:
    """Where a form leads from the folder that is served, for servers that are careless."""
    texts = {form, form.partition("?")[0]}
    for _ in range(3):
        texts |= {unquote(text, errors="ignore") for text in texts}
    texts |= {text.replace("\\", "/") for text in texts}
    texts |= {text.translate(_ALIKE) for text in texts}
    texts |= {text.replace(";", "/").replace("::$DATA", "") for text in texts}
    texts |= {"/".join(part.strip() for part in text.split("/")) for text in texts}
    return {posixpath.normpath(posixpath.join("/srv/content", text)) for text in texts}


_ALIKE = str.maketrans({"\uff0e": ".", "\uff0f": "/", "\u2215": "/", "\u2024": ".", "\0": None})
