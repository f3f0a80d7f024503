"""The page of all that is exported: `python -m services.reference` writes docs/api.md from what the code says, as `make docs` does."""

import re
import sys
from collections.abc import Iterable, Sequence

from services import metrics
from services.retrieval.routes import ENDPOINTS
from services.retrieval.routes.endpoint import Endpoint
from services.settings import GONE, MIB, SECTIONS, Setting
from services.trigger.endpoint import Endpoint as TriggerEndpoint
from services.trigger.routes import ENDPOINTS as TRIGGER_ENDPOINTS
from services.web.problems import MEDIA_TYPE, TITLES
from taxohash.runtime.atomic import write_text
from taxohash.runtime.sources import ROOT

PAGE = ROOT / "docs" / "api.md"

_TOP = """# Reference: settings, routes, problems, metrics

This page is made of the code by `make docs`; a test fails where it says something else.
"""
_SETTINGS = """A setting is a variable of the environment, read once at the start. One that is blank counts as not set; one with a value that cannot
be ends the start with one line. Sizes are bytes, times seconds.
"""
_ROUTES = """What is not listed is closed: 401 without a key, 404 with one. A key of a role may do what those before it may: `search`, `write`,
`admin`; see `taxohash keys`, and TAXOHASH_ALLOW_ANONYMOUS for what is open without one.
"""
_TRIGGER = """Of `taxohash trigger`. `token`: a line of TAXOHASH_TRIGGER_TOKEN_FILE, as `Authorization: Bearer TOKEN` or as a password; `signed`: the
signature of a git host, or of a link to approve.
"""
_PROBLEMS = f"""Every error is `{MEDIA_TYPE}` (RFC 9457): `type` is `urn:taxohash:` and one of these words, `title`, `status`, `detail` is one sentence that
says what is wrong and what to do, and `request_id` finds the request in the log. 429 and 503 have a Retry-After.
"""
_METRICS = """`GET /metrics` has these in Prometheus' text format: `R` that of the retrieval service, `T` that of the trigger. No label's value comes
from a path or from a client. The last column is the dashboard that shows it.
"""


def main() -> int:
    write_text(PAGE, page())
    print(PAGE)
    return 0


def page() -> str:
    """The text of docs/api.md."""
    parts = [_TOP, "## Settings\n", _SETTINGS]
    for title, section in SECTIONS.items():
        rows = [(f"`{own.name}`", own.form.wanted, default_of(own), own.meaning) for own in section]
        parts += [f"### {title}\n", _table(("setting", "value", "default", "what it is"), rows)]
    parts += [
        "### Not read any more\n",
        "The start is refused where one of these is set.\n",
        _table(("setting", "instead"), [(f"`{name}`", instead) for name, instead in GONE.items()]),
        "## Routes\n",
        _ROUTES,
        _routes(ENDPOINTS),
        "## Routes of the trigger\n",
        _TRIGGER,
        _routes(TRIGGER_ENDPOINTS),
        "## Problems\n",
        _PROBLEMS,
        _table(("reason", "title"), [(f"`{reason}`", title) for reason, title in sorted(TITLES.items())]),
        "## Metrics\n",
        _METRICS,
        _table(
            ("metric", "of", "kind", "unit", "labels", "what it is", "seen"),
            map(_described, metrics.CATALOGUE.values()),
        ),
    ]
    return "\n".join(parts)


def path_of(endpoint: Endpoint | TriggerEndpoint) -> str:
    """The path without what Starlette is told of its parts."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", endpoint.path)


def default_of(setting: Setting) -> str:  # type: ignore[type-arg]  # of any type
    """The default as one would set it, or in words."""
    value = setting.default
    if setting.shown or value in (None, "", ()):
        return setting.shown or "none"
    if isinstance(value, int) and value % MIB == 0:
        return f"{value} ({value // MIB} MiB)"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _described(metric: metrics.Metric) -> tuple[str, ...]:
    labels = ", ".join(f"`{label.name}`" for label in metric.labels)
    services = " ".join(service[0].upper() for service in metric.services)
    return f"`{metric.name}`", services, metric.kind, metric.unit, labels, metric.meaning, metric.seen


def _routes(endpoints: Sequence[Endpoint | TriggerEndpoint]) -> str:
    rows = [(f"`{own.method} {path_of(own)}`", own.access, _first_line(own.answer)) for own in endpoints]
    return _table(("route", "who", "what it answers"), rows)


def _first_line(function: object) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
