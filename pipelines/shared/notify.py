"""Telling people what came of a run: a webhook, in the form that Slack and its like take."""

import httpx

from pipelines.shared.summary import lines
from services import settings
from services.runs import Outcome
from taxohash.runtime.configuration import plain
from taxohash.runtime.progress import announce

_TRIES, _SECONDS = 3, 10.0


def notify(outcome: Outcome, link: str = "") -> bool:
    """Post the outcome to TAXOHASH_NOTIFY_URL, where it is set; whether it was taken. A run does not fail for it.

    Args:
        link: where it can be approved.
    """
    address = settings.NOTIFY_URL.of()
    if not address:
        return False
    text = "\n".join([*lines(outcome), *([f"approve     {link}"] if link else [])])
    body = {"text": text, "outcome": plain(outcome)}
    problem = ""
    for _ in range(_TRIES):
        try:
            answer = httpx.post(address, json=body, timeout=_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            problem = type(error).__name__  # its text may hold the address, which is a secret
            continue
        if answer.is_success:
            return True
        problem = f"status {answer.status_code}"
    announce(f"nobody was told by TAXOHASH_NOTIFY_URL: {problem}")
    return False
