"""`taxohash pipeline schedule`: the timer of the trigger, so that what it asks for is deduplicated and cooled down like all else."""

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from pipelines.runners.parameters import POLICIES
from services import settings
from taxohash.errors import TaxohashError
from taxohash.runtime.terminal import printable

_SECONDS = 30.0
# No answer, or one that no trigger gives.
_NO_TRIGGER = (
    *(httpx.HTTPError, httpx.InvalidURL),
    *(ValueError, TypeError, LookupError, AttributeError, OverflowError),
)


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "schedule",
        help="set, show or drop the trigger's timer",
        description="Have the trigger ask for a run again and again. Without --every, --cron or --off, the timer is shown.",
    )
    parser.add_argument(
        "pipeline", nargs="?", choices=[*POLICIES], help="what it asks for; retrain if left out"
    )
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--every", metavar="TIME", help="such as 24h or 7d")
    when.add_argument(
        "--cron", metavar="FIELDS", help="minute, hour, day, month and weekday in UTC, such as '0 3 * * *'"
    )
    when.add_argument("--off", action="store_true", help="have no timer")
    parser.add_argument("--url", default=settings.TRIGGER_URL.of(), help="address of the trigger")


def run(given: argparse.Namespace) -> int:
    timer = _asked(given)
    if timer is None:
        print("no timer is set")
        return 0
    hours = max(0.0, timer.due.timestamp() - time.time()) / 3600.0
    told = f"{timer.pipeline} {timer.text}: next at {timer.due:%Y-%m-%d %H:%M} UTC, in {hours:.1f} hours"
    print(printable(told))
    return 0


class _Timer(NamedTuple):
    pipeline: str
    text: str
    due: datetime


def _asked(given: argparse.Namespace) -> _Timer | None:
    """The timer, as the trigger answers; None where there is none."""
    wanted = {name: text for name in ("every", "cron") if (text := getattr(given, name)) is not None}
    if given.pipeline:
        if not wanted:
            raise TaxohashError(f"when to ask for {given.pipeline} is not said: give --every or --cron")
        wanted["pipeline"] = given.pipeline
    method, body = ("DELETE", None) if given.off else ("PUT", wanted) if wanted else ("GET", None)
    url = f"{given.url.rstrip('/')}/v1/schedule"
    try:
        answer = httpx.request(method, url, json=body, headers=_token(), timeout=_SECONDS)
        told = answer.json()
        if answer.is_success:
            return _timer(told["schedule"])
        reason = told.get("detail", answer.status_code)
    except _NO_TRIGGER as error:
        raise TaxohashError(
            f"trigger {given.url} does not answer as one does ({type(error).__name__}): start `taxohash trigger`, or give its --url"
        ) from None
    raise TaxohashError(f"trigger {given.url} refused: {reason}")


def _timer(told: Any) -> _Timer | None:
    if told is None:
        return None
    return _Timer(str(told["pipeline"]), str(told["text"]), datetime.fromtimestamp(told["due"], UTC))


def _token() -> dict[str, str]:
    """The first token of the trigger's file, where there is one."""
    path = settings.TRIGGER_TOKEN_FILE.of()
    if path is None:
        return {}
    try:
        lines = Path(path).read_text(encoding="utf-8").split()
    except (OSError, UnicodeError):
        lines = []
    if not lines:
        raise TaxohashError(f"file of tokens {path} has none that can be read: write one into it")
    return {"Authorization": f"Bearer {lines[0]}"}
