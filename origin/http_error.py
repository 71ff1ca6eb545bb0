"""A request that gets no for an answer: everything below the shell raises one of these."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from p2pcdn.errors import P2pcdnError


class HttpError(P2pcdnError):
    """Why a request is not served: a status for programs and one sentence for people."""

    def __init__(
        self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status.value, message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
