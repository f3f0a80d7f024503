"""Which generation a request is answered by: told in the header of its answer and in the metrics, wherever it was taken."""

from contextvars import ContextVar

_GENERATION: ContextVar[str] = ContextVar("generation", default="")


def begin() -> None:
    """A request comes; nobody has taken a generation for it. Tasks may share a context one after the other."""
    _GENERATION.set("")


def answer_with(generation: str) -> None:
    """The request of this task is answered by this generation."""
    _GENERATION.set(generation)


def answered_by() -> str:
    """The generation that was taken for the request of this task; empty where none was."""
    return _GENERATION.get()
