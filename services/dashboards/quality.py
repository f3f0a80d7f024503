"""Dashboard Retrieval quality: whether what is asked and answered is still what it was when the generation was made."""

from grafana_foundation_sdk.models.dashboard import Dashboard as Made

from services.dashboards.parts import (
    OF_GENERATION,
    ORANGE,
    PLACE,
    RED,
    SERVED,
    YELLOW,
    Panel,
    Query,
    bars,
    frame,
    heat,
    lines,
    number,
    rows,
    side_by_side,
    window,
)
from services.metrics import Dashboard
from services.retrieval.nearness import USUAL

_KEYS = f"{PLACE}, generation"
_GENERATION = "{{generation}}"
_NOW, _REFERENCE = "now", "reference"
# Of a population stability index: below the first nothing is said to have moved, above the second much.
_MOVED, _MUCH = 0.1, 0.25


def dashboard() -> Made:
    """The whole of it."""
    return frame(
        Dashboard.QUALITY,
        "What is asked and answered, beside the reference that the served generation keeps of the queries it was judged by; and recall of its canaries.",
        ("At a glance", _glance()),
        ("Drift: population stability index against the reference", _drift()),
        ("Distance of the nearest item", _distances()),
        ("Answers", _answers()),
        ("Canaries", _canaries()),
        ("Bits", _bits()),
        ("Queries that are kept", _kept()),
        of="taxohash_generation_served",
        more=[window("1h", "10m", "6h", "1d")],
        annotated=True,
    )


# -- expressions ------------------------------------------------------------------------------------------


def _asked(metric: str, labels: str = "", of: str = _KEYS, more: str = "") -> str:
    """How many in the window, of generations that are still told; `labels` are kept beside `of`."""
    series = f"{metric}{{{OF_GENERATION}{more}}}"
    return f"sum by ({_both(of, labels)}) (increase({series}[$window]) and {series})"


def _known(metric: str, labels: str = "", of: str = _KEYS, how: str = "max") -> str:
    """A gauge; all processes of a generation say the same."""
    return f"{how} by ({_both(of, labels)}) ({metric}{{{OF_GENERATION}}})"


def _both(of: str, labels: str) -> str:
    return ", ".join(filter(None, (of, labels)))


_QUERIES = _asked("taxohash_queries_total")
_QUERIES_REFERENCE = _known("taxohash_queries_reference")
_EACH = f"/ on ({_KEYS}) group_left ()"


def _index(total: str, reference: str, label: str) -> str:
    """The population stability index of shares by a label: sum (q - p) ln(q / p), each cell with half a query more on both sides."""
    counts = f"({_asked(total, label)} or 0 * {_known(reference, label)})"
    told = _known(reference, label)
    now = f"(({counts} + 0.5) {_EACH} (sum by ({_KEYS}) ({counts}) + 0.5 * count by ({_KEYS}) ({counts})))"
    then = (
        f"(({told} * on ({_KEYS}) group_left () {_QUERIES_REFERENCE} + 0.5)"
        f" {_EACH} ({_QUERIES_REFERENCE} + 0.5 * count by ({_KEYS}) ({told})))"
    )
    return f"sum by ({_KEYS}) (({now} - {then}) * ln({now} / {then})) and on ({_KEYS}) {_QUERIES} > 0"


def _bit_index() -> str:
    """The same for each bit, which is set or is not."""
    now = f"(({_asked('taxohash_bit_set_total', 'bit')} + 0.5) {_EACH} ({_QUERIES} + 1))"
    told = _known("taxohash_bit_set_reference", "bit")
    then = f"(({told} * on ({_KEYS}) group_left () {_QUERIES_REFERENCE} + 0.5) {_EACH} ({_QUERIES_REFERENCE} + 1))"
    return f"({now} - {then}) * (ln({now} / {then}) - ln((1 - {now}) / (1 - {then})))"


def _by_chance(cells: str) -> str:
    """What the index is on average where nothing has changed: it falls with the queries that are compared."""
    return f"max by ({PLACE}) (({cells} - 1) * (1 / ({_QUERIES} > 0) + 1 / ({_QUERIES_REFERENCE} > 0)))"


def _share(total: str, label: str) -> str:
    """The share of each value of a label among the queries, of all that is chosen."""
    return f"{_asked(total, label, '')} / on () group_left () sum({_asked(total, label, '')})"


def _mean(metric: str, labels: str, of: str = _KEYS) -> str:
    """The mean of a histogram in the window."""
    return f"{_asked(f'{metric}_sum', labels, of)} / {_asked(f'{metric}_count', labels, of)}"


# -- panels -----------------------------------------------------------------------------------------------


def _glance() -> list[Panel]:
    answered = "taxohash_searches_answered_total"
    bands = _index("taxohash_nearest_band_total", "taxohash_nearest_band_reference", "band")
    return [
        number(
            "Queries compared",
            "Queries in the window that is chosen above. With few of them the index says little: see what chance makes of it.",
            "short",
            Query(f"sum({_QUERIES})"),
        ),
        number(
            "Drift of distances",
            "Population stability index of the distance of the nearest item, where it is largest.",
            "none",
            Query(f"max({bands})"),
            steps=[(_MOVED, YELLOW), (_MUCH, RED)],
            decimals=3,
        ),
        number(
            "Far from everything",
            "Share of the searches that are farther from their nearest item than nine in ten queries of the evaluation: 10 % is usual.",
            "percentunit",
            Query(f"{_asked(answered, of='', more=_FAR)} / {_asked(answered, of='')}"),
            steps=[(0.15, YELLOW), (0.3, RED)],
            decimals=1,
        ),
        number(
            "Like nothing known",
            "Share of the queries of which the answer says that they are like nothing known.",
            "percentunit",
            Query(f"{_asked('taxohash_unlike_total', of='')} / {_asked('taxohash_queries_total', of='')}"),
            decimals=1,
        ),
        number(
            "Canary recall lost",
            "By how much the recall of canaries is lower than when the generation was made, on the level where it lost most.",
            "percentunit",
            Query(
                f"max({_known('taxohash_canary_recall_reference', 'level')} - {_known('taxohash_canary_recall', 'level', how='min')})"
            ),
            steps=[(0.02, YELLOW), (0.05, RED)],
            decimals=1,
        ),
        number(
            "Canaries asked",
            "Since the process that was last to do so asked with its canaries.",
            "s",
            Query(f"time() - min(taxohash_canaries_asked_timestamp_seconds{{{OF_GENERATION}}})"),
            steps=[(300.0, YELLOW), (900.0, RED)],
        ),
    ]


def _drift() -> list[Panel]:
    steps = [(_MOVED, YELLOW), (_MUCH, RED)]
    chance = "by chance"
    bands, nodes = (
        f"count by ({_KEYS}) ({_known(f'taxohash_{of}_reference', label)})"
        for of, label in (("nearest_band", "band"), ("top_node", "node"))
    )
    return [
        lines(
            "Distances",
            "Population stability index of the bands of the nearest distance: 0 is as the reference, 0.25 very different. Dashed: what it would be if nothing had changed, with so few queries.",
            "none",
            Query(
                _index("taxohash_nearest_band_total", "taxohash_nearest_band_reference", "band"), _GENERATION
            ),
            Query(_by_chance(bands), chance, dashed=True),
            at_least_to=_MUCH,
            bounds=steps,
        ),
        lines(
            "First nodes",
            "The same of the first node of the path that answers told: whether other things are asked for than were.",
            "none",
            Query(_index("taxohash_top_node_total", "taxohash_top_node_reference", "node"), _GENERATION),
            Query(_by_chance(nodes), chance, dashed=True),
            at_least_to=_MUCH,
            bounds=steps,
        ),
        lines(
            "Bits",
            "The same of single bits, set or not: their mean, and the one that has moved most.",
            "none",
            Query(f"avg by ({_KEYS}) ({_bit_index()})", f"mean, {_GENERATION}"),
            Query(f"max by ({_KEYS}) ({_bit_index()})", f"most, {_GENERATION}"),
            Query(_by_chance("2"), f"mean {chance}", dashed=True),
            at_least_to=_MUCH,
            bounds=steps,
        ),
    ]


def _distances() -> list[Panel]:
    bucket = f"taxohash_nearest_distance_bucket{{{OF_GENERATION}}}"
    spread = f"sum by (le, {_KEYS}) (increase({bucket}[$window]) and {bucket})"
    answered = "taxohash_searches_answered_total"
    return [
        side_by_side(
            "Bands of the distance",
            "Share of the queries in each band of the nearest distance, 0 the nearest. Bands are such that the reference has about as many in each.",
            "percentunit",
            "band",
            Query(_share("taxohash_nearest_band_total", "band"), _NOW),
            Query(_known("taxohash_nearest_band_reference", "band", "", "avg"), _REFERENCE),
        ),
        heat(
            "Distances",
            "Queries by the Hamming distance of their nearest item over time: the darker, the more. It wanders up as pictures of a new kind come.",
            "short",
            Query(
                f"sum by (le) (increase(taxohash_nearest_distance_bucket{{{OF_GENERATION}}}[$__rate_interval]))",
                "{{le}}",
            ),
            "bits",
        ),
        lines(
            "Quantiles of the distance",
            "The nearest item of half, and of 90 of 100 queries, is at most so many bits away.",
            "none",
            Query(f"histogram_quantile(0.5, {spread})", f"50 %, {_GENERATION}"),
            Query(f"histogram_quantile(0.9, {spread})", f"90 %, {_GENERATION}"),
            width=12,
        ),
        lines(
            "Near and far",
            "Share of the searches that are farther than nine in ten queries of the evaluation were; dashed: the one in ten that is usual.",
            "percentunit",
            Query(f"{_asked(answered, more=_FAR)} / {_asked(answered)}", _GENERATION),
            Query(f"{1 - USUAL:g} + 0 * sum({_asked(answered)} > 0)", "usual", dashed=True),
            width=12,
        ),
    ]


_FAR = ', nearness="far"'


def _answers() -> list[Panel]:
    return [
        side_by_side(
            "First nodes",
            "Share of the queries by the first node of the path that their answer told: `none` where it was sure of none, `other` for rare ones.",
            "percentunit",
            "node",
            Query(_share("taxohash_top_node_total", "node"), _NOW),
            Query(_known("taxohash_top_node_reference", "node", "", "avg"), _REFERENCE),
        ),
        side_by_side(
            "Confidence by level",
            "How sure answers are of the query's node on each level, on average; 0 where they told none.",
            "percentunit",
            "level",
            Query(_mean("taxohash_confidence", "level", ""), _NOW),
            Query(_known("taxohash_confidence_reference", "level", "", "avg"), _REFERENCE),
        ),
        lines(
            "Confidence over time",
            "The same over time, and what nine in ten answers exceed on each level. It falls where pictures come that the hasher has not learned.",
            "percentunit",
            Query(_mean("taxohash_confidence", "level", PLACE), "mean, {{level}}"),
            Query(
                f"histogram_quantile(0.1, {_asked('taxohash_confidence_bucket', 'le, level', PLACE)})",
                "9 in 10, {{level}}",
            ),
            width=12,
            most=1.0,
        ),
        lines(
            "Like nothing known",
            "Share of the queries of which the answer says so; dashed: the reference.",
            "percentunit",
            Query(f"{_asked('taxohash_unlike_total')} / {_QUERIES}", _GENERATION),
            Query(_known("taxohash_unlike_reference"), f"{_REFERENCE}, {_GENERATION}", dashed=True),
            width=12,
        ),
    ]


def _canaries() -> list[Panel]:
    return [
        side_by_side(
            "Recall of canaries by level",
            "Share of the canaries that have their class of each level among their ten nearest items, in the last round; canaries are pictures that no training saw.",
            "percentunit",
            "level",
            Query(_known("taxohash_canary_recall", "level", "", "min"), _NOW),
            Query(_known("taxohash_canary_recall_reference", "level", "", "avg"), _REFERENCE),
            width=8,
        ),
        lines(
            "Recall of canaries over time",
            "The same over time, in the process where it is lowest; dashed: when the generation was made. It falls where items are lost, or get wrong codes or labels.",
            "percentunit",
            Query(_known("taxohash_canary_recall", "level", PLACE, "min"), "{{level}}"),
            Query(
                _known("taxohash_canary_recall_reference", "level", PLACE),
                "{{level}}, reference",
                dashed=True,
            ),
            most=1.0,
        ),
        rows(
            "Rounds of canaries",
            "How many canaries a round asks with, and since when the last round was, by generation.",
            "none",
            ["generation"],
            Query(_known("taxohash_canaries", of="generation"), "canaries"),
            Query(
                f"time() - min by (generation) (taxohash_canaries_asked_timestamp_seconds{{{OF_GENERATION}}})",
                "asked before",
            ),
            Query(_known("taxohash_queries_reference", of="generation"), "queries of the reference"),
            width=8,
            units={"asked before": "s"},
        ),
    ]


def _bits() -> list[Panel]:
    of_bit = _padded(_asked("taxohash_bit_set_total", "bit", ""))
    queries = _asked("taxohash_queries_total", of="")
    gap = (
        f"abs({_asked('taxohash_bit_set_total', 'bit')} {_EACH} {_QUERIES}"
        f" - {_known('taxohash_bit_set_reference', 'bit')})"
    )
    return [
        side_by_side(
            "Bits that are set",
            "Share of the queries whose code has each bit set. A bit at 0 or 1 tells nothing; one far from its reference has moved.",
            "percentunit",
            "bit",
            Query(f"{of_bit} / on () group_left () {queries}", _NOW),
            Query(_padded(_known("taxohash_bit_set_reference", "bit", "", "avg")), _REFERENCE),
            width=24,
        ),
        bars(
            "Bits that moved most",
            "The eight bits whose share is farthest from the reference, by how far.",
            "percentunit",
            Query(f"topk(8, {gap})", "bit {{bit}}, {{generation}}"),
            width=12,
        ),
        lines(
            "Entropy of the codes",
            "Mean entropy of a bit of the items' codes: 1 where each bit halves them. Dashed: of the items that the generation was made with.",
            "none",
            Query(_known("taxohash_code_entropy"), _GENERATION),
            Query(_known("taxohash_code_entropy_reference"), f"{_REFERENCE}, {_GENERATION}", dashed=True),
            width=12,
            most=1.0,
        ),
    ]


def _padded(expr: str) -> str:
    """Numbers of bits with three digits, so that their names are in their order."""
    short = f'label_replace({expr}, "bit", "0$1", "bit", "(..?)")'
    return f'label_replace({short}, "bit", "0$1", "bit", "(..)")'


def _kept() -> list[Panel]:
    rate = f"rate(taxohash_sampled_queries_total{{{SERVED}}}[$__rate_interval])"
    return [
        lines(
            "Sampled queries",
            "Pictures that were searched for and chosen to be kept for the next data version, each second: kept, dropped as too much waited, or failed to be written.",
            "cps",
            Query(f"sum by (outcome) ({rate})", "{{outcome}}"),
            stacked=True,
        ),
        lines(
            "Sampled queries that are kept",
            "As the process with the most last saw them. They go when they are too many or too old.",
            "short",
            Query(f"max by ({PLACE}) (taxohash_sampled_queries_kept{{{SERVED}}})", "{{collection}}"),
        ),
        number(
            "Looks that failed",
            "Looks for sampled queries that have to go which failed, in the time that is shown; those go later.",
            "none",
            Query(f"sum(increase(taxohash_sampled_queries_left_total{{{SERVED}}}[$__range]))"),
            width=8,
            height=8,
            steps=[(1.0, ORANGE)],
            decimals=0,
        ),
    ]
