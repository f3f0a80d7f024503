"""What is read of the metrics: of the catalogue's series a few, each added up over the labels that nobody looks at here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import starmap
from typing import NamedTuple

from services import metrics

# Not what anybody is kept waiting for: pages for people, probes and scrapes.
_ASIDE = ("page", "status-page", "status", "livez", "readyz", "healthz", "metrics", "openapi")
_SEARCH_SECONDS = (
    "taxohash_request_seconds_bucket"  # of the route of searches: those of all others are not even read
)


class Key(NamedTuple):
    """A series that is kept.

    Attributes:
        label: the value of the label by which it is kept apart, if so.
    """

    name: str
    label: str = ""


@dataclass(frozen=True)
class Kept:
    """Of which samples a series is the sum.

    Attributes:
        name: of the series.
        sample: of the samples.
        by: the label by which they are kept apart.
        only, but: values of a label, of samples that alone count, or that do not.
    """

    name: str
    sample: str
    by: str = ""
    only: tuple[str, str] | None = None
    but: tuple[str, tuple[str, ...]] | None = None

    def key(self, labels: Mapping[str, str]) -> Key | None:
        """Where a sample with these labels belongs."""
        if self.only and labels.get(self.only[0]) != self.only[1]:
            return None
        if self.but and labels.get(self.but[0]) in self.but[1]:
            return None
        return Key(self.name, labels.get(self.by, "") if self.by else "")


KEPT = (
    Kept("requests", "taxohash_requests_total", by="status", but=("route", _ASIDE)),
    Kept("search seconds", _SEARCH_SECONDS, by="le"),
    Kept("timed", "taxohash_searches_timed_total", by="outcome"),
    Kept("objective", "taxohash_searches_objective_seconds"),
    Kept("rejected", "taxohash_upload_rejected_total"),
    Kept("busy", "taxohash_upload_rejected_total", only=("reason", "busy")),
    Kept("not let in", "taxohash_not_let_in_total"),
    Kept("searches", "taxohash_searches"),
    Kept("searches most", "taxohash_searches_most"),
    Kept("codes", "taxohash_codes_loaded"),
    Kept("lag", "taxohash_replica_lag_seconds"),
    Kept("age", "taxohash_replica_age_seconds"),
    Kept("memory", "process_resident_memory_bytes"),
    Kept("keys failing", "taxohash_api_keys_file_failing"),
    Kept("answered", "taxohash_searches_answered_total", by="nearness"),
    Kept("queries", "taxohash_queries_total"),
    Kept("queries reference", "taxohash_queries_reference"),
    Kept("band", "taxohash_nearest_band_total", by="band"),
    Kept("band reference", "taxohash_nearest_band_reference", by="band"),
    Kept("confidence sum", "taxohash_confidence_sum", by="level"),
    Kept("confidence count", "taxohash_confidence_count", by="level"),
    Kept("confidence reference", "taxohash_confidence_reference", by="level"),
    Kept("unlike", "taxohash_unlike_total"),
    Kept("unlike reference", "taxohash_unlike_reference"),
    Kept("canaries", "taxohash_canaries"),
    Kept("canary recall", "taxohash_canary_recall", by="level"),
    Kept("canary recall reference", "taxohash_canary_recall_reference", by="level"),
)
_SERVED = "taxohash_generation_served"
_OF = {sample: own for own in metrics.CATALOGUE.values() for sample in own.samples}
_BY_SAMPLE = {own.sample: [one for one in KEPT if one.sample == own.sample] for own in KEPT}
_READ = sorted({*_BY_SAMPLE, _SERVED} - {_SEARCH_SECONDS})
_COUNTED = {own.name for own in KEPT if _OF[own.sample].kind != "gauge"}
# Levels, bands and references are a generation's own.
OF_GENERATION = {own.name for own in KEPT if metrics.SERVED in _OF[own.sample].labels}


class Sample(NamedTuple):
    """A value of a metric."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Totals:
    """What the series are now, and what is needed to go on from there.

    A series of the metrics that is not there any more, such as that of a generation which is served no longer, takes nothing
    away from the sum that it was in.

    Attributes:
        generation: that is served; empty: none.
        values: counters, of which only differences mean something, and gauges.
    """

    generation: str = ""
    values: Mapping[Key, float] = field(default_factory=dict)
    _counted: Mapping[tuple[str, ...], float] = field(default_factory=dict)  # by sample and labels

    def then(self, told: Iterable[Sample]) -> "Totals":
        """The next ones."""
        told = list(told)
        generation = next((own.labels["generation"] for own in told if own.name == _SERVED and own.value), "")
        gone = OF_GENERATION if generation != self.generation else set()
        values = {key: own for key, own in self.values.items() if key.name in _COUNTED - gone}
        counted: dict[tuple[str, ...], float] = {}
        for name, labels, value in told:
            for kept in _BY_SAMPLE.get(name, ()):
                if (key := kept.key(labels)) is None:
                    continue
                if kept.name in _COUNTED:
                    series = (kept.name, *labels.values())
                    counted[series], before = value, self._counted.get(series, 0.0)
                    values[key] = values.get(key, 0.0) + value - (before if value >= before else 0.0)
                else:
                    values[key] = values.get(key, 0.0) + value
        return Totals(generation, values, counted)


def samples() -> list[Sample]:
    """What there is of all that is kept; what is not exported is left out."""
    found = list(starmap(Sample, metrics.samples("retrieval", _READ)))
    for metric in metrics.request_seconds("search").collect():
        found += [Sample(own.name, own.labels, own.value) for own in metric.samples]
    return found
