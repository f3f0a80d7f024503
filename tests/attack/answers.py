"""Whether what was answered has the form that is promised."""

import json
from typing import Literal

from tests.attack.wire import Answer

Form = Literal["problem", "error"]
FORMS: tuple[Form, ...] = ("problem", "error")
CONTENT_TYPES: dict[Form, str] = {"problem": "application/problem+json", "error": "application/json"}
MEMBERS = {"type", "title", "status", "detail", "request_id"}
LONGEST = 600  # characters of a sentence
INTERNAL = (
    "Traceback",
    "/tmp",
    "unix:",
    "redis:",
    ".sock",
    'File "',
    "127.0.0.1",
    "starlette",
    "uvicorn",
    " at 0x",
)


def fault(answer: Answer, form: Form, bodiless: bool = False) -> str:
    """What is wrong with an answer that is not of 2xx or 3xx: nothing, or a few words without anything of the answer.

    Args:
        bodiless: it has no body, as the question was HEAD.
    """
    if answer.trouble or 200 <= answer.status < 400:
        return ""
    if answer.status == 500:
        return "500"
    kind = answer.headers.get("content-type", "none")
    if kind.split(";")[0].strip() != CONTENT_TYPES[form]:
        return f"{answer.status} as {kind}"
    if bodiless:
        return ""
    try:
        told = json.loads(answer.body)
    except ValueError:
        return f"{answer.status} without JSON"
    if form == "problem":
        if set(told) != MEMBERS:
            return f"{answer.status} with members {sorted(told)}"
        if told["status"] != answer.status:
            return f"{answer.status} that says {told['status']}"
    sentence = told.get("detail" if form == "problem" else "error")
    return _fault_of(sentence) and f"{answer.status} {_fault_of(sentence)}"


def _fault_of(sentence: object) -> str:
    if not isinstance(sentence, str) or not sentence.strip():
        return "without a sentence"
    if not sentence.isprintable():
        return "with a sentence of more than a line"
    if len(sentence) > LONGEST:
        return "with a long sentence"
    internal = next((part for part in INTERNAL if part in sentence), None)
    return f"that tells {internal!r}" if internal else ""
