"""`taxohash pipeline schedule`: the timer of the trigger, so that what it asks for is deduplicated and cooled down like all else."""

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from services import settings
from taxohash.errors import TaxohashError

_SECONDS = 30.0


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "schedule",
        help="set, show or drop the trigger's timer",
        description="Have the trigger ask for a retraining again and again. Without --every, --cron or --off, the timer is shown.",
    )
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--every", metavar="TIME", help="such as 24h or 7d")
    when.add_argument(
        "--cron", metavar="FIELDS", help="minute, hour, day, month and weekday in UTC, such as '0 3 * * *'"
    )
    when.add_argument("--off", action="store_true", help="have no timer")
    parser.add_argument("--url", default=settings.TRIGGER_URL.of(), help="address of the trigger")


def run(given: argparse.Namespace) -> int:
    found = _asked(given)["schedule"]
    if found is None:
        print("no timer is set")
        return 0
    due = datetime.fromtimestamp(found["due"], UTC)
    hours = max(0.0, found["due"] - time.time()) / 3600.0
    print(f"{found['pipeline']} {found['text']}: next at {due:%Y-%m-%d %H:%M} UTC, in {hours:.1f} hours")
    return 0


def _asked(given: argparse.Namespace) -> dict[str, Any]:
    """What the trigger answers."""
    method = "DELETE" if given.off else "PUT" if given.every or given.cron else "GET"
    body = {"every": given.every} if given.every else {"cron": given.cron} if given.cron else None
    url = f"{given.url.rstrip('/')}/v1/schedule"
    try:
        answer = httpx.request(method, url, json=body, headers=_token(), timeout=_SECONDS)
        told: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise TaxohashError(
            f"trigger {given.url} does not answer as one does ({type(error).__name__}): start `taxohash trigger`, or give its --url"
        ) from None
    if not answer.is_success:
        raise TaxohashError(f"trigger {given.url} refused: {told.get('detail', answer.status_code)}")
    return told


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
