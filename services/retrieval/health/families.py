"""The metrics of retrieval health as Prometheus asks for them: made when they are scraped, of what is served then."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from services import metrics
from services.retrieval.health.health import Health
from services.retrieval.health.reference import banded
from services.retrieval.health.tally import Counted

Values = Mapping[tuple[str, ...], float]  # by the values of the labels but the generation
TOLD = (
    metrics.SEARCHES_ANSWERED, metrics.QUERIES, metrics.REFERENCE_QUERIES, metrics.NEAREST, metrics.NEAREST_BAND,
    metrics.NEAREST_BAND_REFERENCE, metrics.TOP_NODE, metrics.TOP_NODE_REFERENCE, metrics.CONFIDENCE, metrics.CONFIDENCE_REFERENCE,
    metrics.UNLIKE, metrics.UNLIKE_REFERENCE, metrics.BIT_SET, metrics.BIT_SET_REFERENCE, metrics.CODE_ENTROPY,
    metrics.CODE_ENTROPY_REFERENCE, metrics.CANARIES, metrics.CANARY_RECALL, metrics.CANARY_RECALL_REFERENCE, metrics.CANARIES_ASKED,
)  # fmt: skip


class Families(metrics.Collector):
    """Of one process. What is served tells them all; where nothing is, there are none."""

    def __init__(self) -> None:
        self._told: list[Callable[[], Health | None]] = []

    def tell(self, served: Callable[[], Health | None]) -> None:
        """Tell from now on what this gives."""
        self._told.append(served)

    def forget(self, served: Callable[[], Health | None]) -> None:
        """Tell it no more."""
        if served in self._told:
            self._told.remove(served)

    def describe(self) -> Iterable[metrics.Family]:
        """All that there may be, without values."""
        return [
            metrics.histogram(metric, {}) if metric.kind == "histogram" else metrics.family(metric, {})
            for metric in TOLD
        ]

    def collect(self) -> Iterator[metrics.Family]:
        """All that there is now."""
        health = self._told[-1]() if self._told else None
        if health is not None:
            yield from families(health)


def families(health: Health) -> Iterator[metrics.Family]:
    """Those of one generation that have values."""
    counted, expected, rounds = health.tally.counted(), health.expected, health.rounds
    tells_bits = health.bits <= metrics.BIT.most
    near = int(counted.distances[: health.reach + 1].sum())
    simple: dict[metrics.Metric, Values] = {
        metrics.SEARCHES_ANSWERED: {("near",): near, ("far",): counted.queries - near},
        metrics.QUERIES: {(): counted.queries},
        metrics.REFERENCE_QUERIES: {(): expected.queries} if expected.queries else {},
        metrics.NEAREST_BAND: _numbered(
            banded(counted.distances, expected.ends).tolist() if expected.queries else ()
        ),
        metrics.NEAREST_BAND_REFERENCE: _numbered(expected.bands),
        metrics.TOP_NODE: _named(health.nodes, counted.tops) if health.tells_path else {},
        metrics.TOP_NODE_REFERENCE: {(node,): share for node, share in expected.tops.items()},
        metrics.CONFIDENCE_REFERENCE: _named(health.levels, expected.confidence),
        metrics.UNLIKE: {(): counted.unlike} if health.tells_unlike else {},
        metrics.UNLIKE_REFERENCE: _maybe(expected.unlike),
        metrics.BIT_SET: _numbered(counted.bits.tolist() if tells_bits else ()),
        metrics.BIT_SET_REFERENCE: _numbered(expected.bits if tells_bits else ()),
        metrics.CODE_ENTROPY: _maybe(health.entropy.value),
        metrics.CODE_ENTROPY_REFERENCE: _maybe(expected.entropy),
        metrics.CANARIES: _maybe(rounds.count or None),
        metrics.CANARY_RECALL: _named(health.levels, rounds.recall),
        metrics.CANARY_RECALL_REFERENCE: _named(health.levels, expected.recall),
        metrics.CANARIES_ASKED: _maybe(rounds.asked or None),
    }
    own = health.generation
    for metric, values in simple.items():
        if values:
            first = metric.labels[0] is metrics.SERVED
            yield metrics.family(
                metric,
                {(own, *labels) if first else (*labels, own): value for labels, value in values.items()},
            )
    yield metrics.histogram(metrics.NEAREST, {(own,): _distances(counted)})
    if health.tells_path:
        within = counted.sure.cumsum(axis=1)[:, :-1].tolist()
        yield metrics.histogram(
            metrics.CONFIDENCE,
            {
                (own, level): (counts, counted.queries, total)
                for level, counts, total in zip(health.levels, within, counted.sums, strict=True)
            },
        )


def _distances(counted: Counted) -> tuple[list[int], int, float]:
    within = counted.distances.cumsum().tolist()
    counts = [within[min(int(end), len(within) - 1)] for end in metrics.NEAREST.buckets]
    return counts, counted.queries, float((counted.distances * range(len(within))).sum())


def _numbered(values: Iterable[float]) -> Values:
    return {(str(number),): value for number, value in enumerate(values)}


def _named(names: Sequence[str], values: Sequence[float]) -> Values:
    return {(name,): value for name, value in zip(names, values, strict=False)}


def _maybe(value: float | None) -> Values:
    return {} if value is None else {(): value}


FAMILIES = Families()
metrics.REGISTRIES["retrieval"].register(FAMILIES)
