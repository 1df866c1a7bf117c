"""What the broker refuses, in the words of the specification (ETSI GS CIM 009, clause 5.5.2 and table 6.3.2-1)."""

from __future__ import annotations

from typing import Any, ClassVar

from madang.kernel.errors import ConfigError, MadangError, UnavailableError

ERROR_BASE = "https://uri.etsi.org/ngsi-ld/errors/"


class NgsiLdError(MadangError):
    """A refusal whose HTTP form is an NGSI-LD ProblemDetails."""

    ngsi_type: ClassVar[str] = "InternalError"
    challenge: str = ""
    """What stands in WWW-Authenticate (RFC 6750 §3)."""

    def problem(self) -> dict[str, Any]:  # Any: JSON object
        """ProblemDetails (clause 5.5.3, RFC 9457) with one of the specification's type addresses."""
        return super().problem() | {"type": ERROR_BASE + self.ngsi_type}


class InvalidRequestError(NgsiLdError):
    """The request cannot be read at all: not JSON, no body, an unknown parameter."""

    code, status, title, ngsi_type = "invalid-request", 400, "The request cannot be read", "InvalidRequest"


class BadRequestDataError(NgsiLdError):
    """The request reads as JSON but says something the information model does not allow."""

    code, status, title, ngsi_type = "bad-request-data", 400, "The data is not valid NGSI-LD", "BadRequestData"


class AlreadyExistsError(NgsiLdError):
    """Creating what is there already."""

    code, status, title, ngsi_type = "already-exists", 409, "It exists already", "AlreadyExists"


class ChangedMeanwhileError(NgsiLdError):
    """Somebody else changed it between reading and writing; nothing was written."""

    code, status, title, ngsi_type = "changed-meanwhile", 409, "It was changed meanwhile", "Conflict"


class ResourceNotFoundError(NgsiLdError):
    """No such entity or attribute for this asker."""

    code, status, title, ngsi_type = "resource-not-found", 404, "There is no such thing here", "ResourceNotFound"


class NonexistentTenantError(NgsiLdError):
    """The tenant is not one the credential belongs to; whether it exists elsewhere is not said."""

    code, status, title, ngsi_type = "nonexistent-tenant", 404, "There is no such tenant", "NonexistentTenant"


class OperationNotSupportedError(NgsiLdError):
    """The broker does not do this."""

    code, status, title = "operation-not-supported", 422, "The operation is not supported"
    ngsi_type = "OperationNotSupported"


class TooManyResultsError(NgsiLdError):
    """The page asked for is larger than allowed."""

    code, status, title, ngsi_type = "too-many-results", 403, "More results than one page may hold", "TooManyResults"


class TooComplexQueryError(NgsiLdError):
    """The query is larger or runs longer than allowed."""

    code, status, title, ngsi_type = "too-complex-query", 403, "The query is too complex", "TooComplexQuery"


class LdContextNotAvailableError(NgsiLdError):
    """A remote @context cannot be had: not answering, not allowed, or not a context.

    503, as brokers and their tests have it since 1.3; the text of 1.8 says 504, which a proxy before us would say.
    """

    code, status, title = "ld-context-not-available", 503, "The @context is not available"
    ngsi_type = "LdContextNotAvailable"


class AccessRefusedError(NgsiLdError):
    """The credential holds, but not for this type, tenant or operation."""

    code, status, title, ngsi_type = (
        "access-refused",
        403,
        "The credential does not allow this",
        "OperationNotSupported",
    )


class NotAuthenticatedError(NgsiLdError):
    """No credential, or one that does not hold."""

    code, status, title, ngsi_type = "not-authenticated", 401, "Send a valid credential", "InvalidRequest"
    challenge = 'Bearer realm="madang"'


class MediaTypeRefusedError(NgsiLdError):
    """The body's media type is not one this resource takes (clause 6.3.4)."""

    code, status, title, ngsi_type = "unsupported-media-type", 415, "The media type is not taken", "InvalidRequest"


class LengthRequiredError(NgsiLdError):
    """A body without Content-Length (clause 6.3.4)."""

    code, status, title, ngsi_type = "length-required", 411, "Send Content-Length", "InvalidRequest"


class NotAcceptableError(NgsiLdError):
    """None of the media types in Accept can be given (clause 6.3.4)."""

    code, status, title, ngsi_type = "not-acceptable", 406, "No acceptable media type", "InvalidRequest"


class BodyTooLargeError(NgsiLdError):
    """More bytes than the door takes."""

    code, status, title, ngsi_type = "too-large", 413, "The body is larger than allowed", "InvalidRequest"


class MethodRefusedError(NgsiLdError):
    """The resource does not know the method."""

    code, status, title = "method-not-allowed", 405, "The resource does not know this method"
    ngsi_type = "OperationNotSupported"


class KeyReusedError(NgsiLdError):
    """An idempotency key came again with another body: an alarm has been raised."""

    code, status, title, ngsi_type = "key-reused", 409, "The key was used for another body", "AlreadyExists"


class CursorLostError(MadangError):
    """The feed cannot go on from this cursor: it is foreign, or older than what is kept. Read everything afresh."""

    code, status, title = "cursor-lost", 410, "The feed cannot resume from this cursor"


class StoreUnavailableError(UnavailableError):
    """The store did not take the write; nothing of it was kept."""

    code, title = "store-unavailable", "The store did not take the write; nothing of it was kept"


class HistoryUnavailableError(UnavailableError):
    """Files of older history cannot be read."""

    code, title = "history-unavailable", "Older history cannot be read now"


class StoreRefusedError(ConfigError):
    """The store file cannot be used as it is."""

    code, title = "store-refused", "The hub store cannot be opened"
