"""Refusals of the contract: a status and a stable code each, told as RFC 9457 problems."""

from __future__ import annotations

from typing import Any

from madang.kernel.errors import MadangError, problem

_TITLES = {
    "signature-missing": (401, "The request is not signed"),
    "signature-malformed": (401, "The signature is not of the agreed form"),
    "signature-invalid": (401, "The signature does not hold"),
    "digest-mismatch": (401, "The body is not the one that was signed"),
    "key-unknown": (401, "The key is not known, or no longer believed"),
    "outside-window": (401, "The signature is too old or too new"),
    "nonce-replayed": (401, "The nonce was used before"),
    "wrong-sender": (403, "The sender is not who signed"),
    "wrong-recipient": (403, "The recipient is not linked with this agency"),
    "wrong-mode": (403, "The mode is not agreed for this agency"),
    "not-found": (404, "There is nothing here by that name"),
    "method-not-allowed": (405, "This address does not take that method"),
    "request-timeout": (408, "The body came too slowly"),
    "message-id-reused": (409, "The message id was used before for another message"),
    "too-large": (413, "The request is larger than allowed"),
    "unsupported-media-type": (415, "The body is not plain JSON"),
    "unusable-message": (422, "The message does not follow its schema"),
}


class LinkRefusalError(MadangError):
    """A request the contract does not allow. `kind` is the contract's code."""

    def __init__(self, kind: str, detail: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(detail, where=where, hint=hint)
        self.kind = kind
        self.http_status, self.heading = _TITLES[kind]

    def problem(self) -> dict[str, Any]:  # Any: JSON object
        """The RFC 9457 members."""
        return problem(self.kind, self.http_status, self.heading, self.detail, where=self.where, hint=self.hint)


def status_of(error: MadangError) -> int:
    """The HTTP status an error is answered with."""
    return error.http_status if isinstance(error, LinkRefusalError) else error.status
