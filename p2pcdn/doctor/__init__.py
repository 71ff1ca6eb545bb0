"""Why peers do not connect: a site is looked at as a viewer's browser would, thing by thing.

::

    Finding  <-- site: is it there, ready, secure, does its snippet come, do other pages' requests
             <-- tracker: does its socket open, may a peer join, and whom may it meet
             <-- paths: what a STUN server sees, and by which addresses this machine is reached
             <-- page: does it name the snippet, and what do its address and its policy forbid

Each finding is a sentence; what is wrong comes with what to do. Nobody's data is touched: one peer
joins the swarm of a content that nobody has, and leaves.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Verdict(Enum):
    """What is to be thought of something."""

    GOOD = "good"
    DOUBT = "doubt"
    """It works for some viewers, or costs savings."""
    WRONG = "wrong"
    """With that there are no peers."""


class Finding(NamedTuple):
    """Something that was looked at."""

    verdict: Verdict
    subject: str
    """In a word, for programs."""
    sentence: str
    advice: str = ""
    """What to do, if something is not good."""


def good(subject: str, sentence: str) -> Finding:
    """All is as it should be."""
    return _finding(Verdict.GOOD, subject, sentence)


def doubt(subject: str, sentence: str, advice: str) -> Finding:
    """It might be better."""
    return _finding(Verdict.DOUBT, subject, sentence, advice)


def wrong(subject: str, sentence: str, advice: str) -> Finding:
    """This is why there are no peers."""
    return _finding(Verdict.WRONG, subject, sentence, advice)


def _finding(verdict: Verdict, subject: str, sentence: str, advice: str = "") -> Finding:
    return Finding(verdict, subject, _printable(sentence), _printable(advice))


def _printable(text: str) -> str:
    """What may be shown on a terminal: servers have their say in it, and some are hostile."""
    return "".join(filter(str.isprintable, text))
