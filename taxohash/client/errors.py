"""What may go wrong between a client and its service; each is a TaxohashError of one line."""

from taxohash.errors import TaxohashError, UnavailableError


class RequestRefusedError(TaxohashError):
    """The service refused a request, in its own words.

    Attributes:
        status: HTTP status.
        reason: the service's word for it, such as `item` or `parameter`.
        request_id: by which the service's log names the request.
        sentence: the service's own.
    """

    def __init__(self, message: str, status: int, reason: str, request_id: str, sentence: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.request_id = request_id
        self.sentence = sentence


class BusyError(RequestRefusedError, UnavailableError):
    """The service, or what it needs, cannot take the request now (429, 503): the same may go well later."""


class NoAnswerError(UnavailableError):
    """No answer came: nobody listens, the connection was cut, or there was no time left."""


class MalformedAnswerError(TaxohashError):
    """An answer that is none of a taxohash service."""
