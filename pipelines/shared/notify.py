"""Telling people what came of a run: a webhook, in the form that Slack and its like take."""

import time

import httpx

from pipelines.shared.summary import lines
from services import approval, settings
from services.runs import Outcome, Verdict
from taxohash.runtime.configuration import plain
from taxohash.runtime.progress import announce

_TRIES, _SECONDS = 3, 10.0


def notify(outcome: Outcome) -> bool:
    """Post the outcome to TAXOHASH_NOTIFY_URL, where it is set, and where it can be approved; whether it was taken. A run does not
    fail for it.
    """
    address = settings.NOTIFY_URL.of()
    if not address:
        return False
    link = _link(outcome)
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


def _link(outcome: Outcome) -> str:
    """Of the page on which the generation is approved; empty where there is nothing to approve, or no such page."""
    base, secret = settings.APPROVAL_URL.of(), settings.APPROVAL_SECRET.of()
    if outcome.verdict is not Verdict.AWAITING or not base or not secret:
        return ""
    return approval.link(base, outcome.collection, outcome.generation, secret, time.time() + approval.LASTS)
