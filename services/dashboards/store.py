"""Dashboard Store: what the code store holds, what is lacking, and whether it keeps it, as the serving processes see it."""

from grafana_foundation_sdk.models.dashboard import Dashboard as Made

from services.dashboards.parts import (
    DAY,
    GREEN,
    ORANGE,
    PLACE,
    RED,
    SERVED,
    YELLOW,
    Panel,
    Query,
    frame,
    lines,
    number,
    states,
)
from services.metrics import Dashboard


def dashboard() -> Made:
    """The whole of it."""
    return frame(
        Dashboard.STORE,
        "Items and what they lack, memory and persistence of the code store, as each serving process last read them.",
        ("At a glance", _glance()),
        ("Items", _items()),
        ("The server", _server()),
        of="taxohash_store_reachable",
        generations=False,
    )


def _of(metric: str, how: str = "max") -> str:
    """All processes look at the same: the one that says most."""
    return f"{how} by ({PLACE}) ({metric}{{{SERVED}}})"


_MEMORY = "taxohash_store_memory_bytes"
_BOUND = f"min by ({PLACE}) (taxohash_store_memory_most_bytes{{{SERVED}}} < +Inf)"
_EXPIRES = f"min by ({PLACE}) (taxohash_certificate_expires_timestamp_seconds{{{SERVED}}} < +Inf)"
_COLLECTION = "{{collection}}"


def _glance() -> list[Panel]:
    return [
        number("Items", "Items of what is published.", "short", Query(_of("taxohash_store_items"))),
        number(
            "Lacking codes",
            "Share of the items that have no code in what is published, so that no search finds them.",
            "percentunit",
            Query(f"{_of('taxohash_store_items_lacking_codes')} / ({_of('taxohash_store_items')} > 0)"),
            steps=[(0.001, YELLOW), (0.05, RED)],
            decimals=2,
        ),
        number(
            "Reachable",
            "Share of the processes that the code store answers. Without it searches go on, and writes get 503.",
            "percentunit",
            Query(f"avg by ({PLACE}) (taxohash_store_reachable{{{SERVED}}})"),
            steps=[(0.0, RED), (1.0, GREEN)],
        ),
        number(
            "Memory used",
            "Share of the memory that the server may hold; at all of it, it refuses writes.",
            "percentunit",
            Query(f"{_of(_MEMORY)} / {_BOUND}"),
            steps=[(0.7, YELLOW), (0.9, RED)],
            empty="no bound",
        ),
        number(
            "Snapshot",
            "Since the server last wrote its snapshot, or was started.",
            "s",
            Query(f"time() - {_of('taxohash_store_saved_timestamp_seconds')}"),
            steps=[(2 * DAY, YELLOW), (7 * DAY, RED)],
        ),
        number(
            "Certificate",
            "Until the certificate expires by which the code store is known.",
            "s",
            Query(f"{_EXPIRES} - time()"),
            steps=[(0.0, RED), (7 * DAY, YELLOW), (30 * DAY, GREEN)],
            empty="none shown",
        ),
    ]


def _items() -> list[Panel]:
    return [
        lines(
            "Items, and codes that are searched",
            "Items of what is published; dashed: codes that the process with the fewest searches. The difference are items without a code, and what was not yet read.",
            "short",
            Query(_of("taxohash_store_items"), f"items of {_COLLECTION}"),
            Query(
                f"min by ({PLACE}) (sum by ({PLACE}, instance) (taxohash_codes_loaded{{{SERVED}}}))",
                f"codes of {_COLLECTION}",
                dashed=True,
            ),
        ),
        lines(
            "Items lacking codes",
            "Items of what is published that have no code there yet. The backfill encodes them; it should fall.",
            "short",
            Query(_of("taxohash_store_items_lacking_codes"), _COLLECTION),
        ),
        lines(
            "Backfill",
            "Items that lack a code in a generation that is being filled, 0 where none is. What stands still is stalled.",
            "short",
            Query(_of("taxohash_store_backfill_items"), _COLLECTION),
        ),
        lines(
            "Changes in the stream",
            "Changes that the stream of the collection holds: it is cut, so it goes up and down. A follower that is farther behind than it reaches loads anew.",
            "short",
            Query(_of("taxohash_store_stream_entries"), _COLLECTION),
        ),
        lines(
            "Writes to the stream",
            "How the stream grows, a second; below 0 where it was cut.",
            "cps",
            Query(f"max by ({PLACE}) (deriv(taxohash_store_stream_entries{{{SERVED}}}[5m]))", _COLLECTION),
            least=None,
        ),
        lines(
            "Figures are from",
            "Age of the figures on this page, in the process that looked longest ago. What is old here is not true there.",
            "s",
            Query(f"time() - {_of('taxohash_store_looked_timestamp_seconds', 'min')}", _COLLECTION),
        ),
    ]


def _server() -> list[Panel]:
    return [
        lines(
            "Memory",
            "Memory that the server holds; dashed: what it may hold, where it has a bound.",
            "bytes",
            Query(_of(_MEMORY), f"held, {_COLLECTION}"),
            Query(_BOUND, f"bound, {_COLLECTION}", dashed=True),
            width=12,
        ),
        states(
            "Reached, and kept",
            "Whether the store answers every process, and whether the server writes its log of changes and the last writes went well.",
            Query(_of("taxohash_store_reachable", "min"), "reachable"),
            Query(_of("taxohash_store_persists", "min"), "persists"),
            words={0.0: ("no", RED), 1.0: ("yes", GREEN)},
        ),
        lines(
            "Age of the snapshot",
            "Since the server last wrote its snapshot, or was started. The log of changes has what came after.",
            "s",
            Query(f"time() - {_of('taxohash_store_saved_timestamp_seconds')}", _COLLECTION),
            width=12,
            bounds=[(7 * DAY, ORANGE)],
        ),
        lines(
            "Certificate expires in",
            "Until the certificate of the code store expires. It is renewed by who runs the store; processes read the new one when they connect.",
            "s",
            Query(f"{_EXPIRES} - time()", _COLLECTION),
            width=12,
            bounds=[(7 * DAY, RED)],
        ),
    ]
