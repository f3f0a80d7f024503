"""What a service would have recorded: made-up samples of its metrics, read one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.retrieval.recent.reading import Sample
from services.retrieval.recent.recorder import SECONDS, Recorder

BANDS = 4
LEVELS = ("kind", "family")
BUCKETS = ("0.01", "0.1", "1.0", "+Inf")


@dataclass
class Metrics:
    """What is exported now; a service that was asked nothing yet.

    Attributes:
        health: the generation tells a reference, and canaries are asked.
    """

    generation: str = "a"
    health: bool = True
    requests: dict[str, int] = field(default_factory=lambda: {"2xx": 0, "5xx": 0})
    seconds: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))  # of each bucket alone
    timed: dict[str, int] = field(default_factory=lambda: {"in time": 0, "late": 0})
    busy: int = 0
    answered: dict[str, int] = field(default_factory=lambda: {"near": 0, "far": 0})
    unlike: int = 0
    bands: list[int] = field(default_factory=lambda: [0] * BANDS)
    confidence: float = 0.9  # of each answer
    recall: float = 0.95
    canaries: int = 400
    codes: int = 120_000
    keys_failing: bool = False

    def read(self) -> list[Sample]:
        """The samples."""
        served = {"generation": self.generation}
        found = [
            Sample("taxohash_generation_served", served, 1.0),
            Sample("taxohash_codes_loaded", served, self.codes),
            Sample("taxohash_searches", {}, 3.0),
            Sample("taxohash_searches_most", {}, 64.0),
            Sample("taxohash_searches_objective_seconds", {}, 0.25),
            Sample("taxohash_replica_lag_seconds", {}, 0.0),
            Sample("taxohash_replica_age_seconds", {}, 0.2),
            Sample("process_resident_memory_bytes", {}, 3e8),
            Sample("taxohash_api_keys_file_failing", {}, float(self.keys_failing)),
            Sample("taxohash_upload_rejected_total", {"reason": "busy"}, self.busy),
        ]
        for status, count in self.requests.items():
            labels = {"route": "search", "status": status} | served
            found.append(Sample("taxohash_requests_total", labels, count))
        for row, upper in enumerate(BUCKETS):
            count = sum(self.seconds[: row + 1])
            found.append(Sample("taxohash_request_seconds_bucket", {"route": "search", "le": upper}, count))
        for outcome, count in self.timed.items():
            found.append(Sample("taxohash_searches_timed_total", {"outcome": outcome}, count))
        for nearness, count in self.answered.items():
            found.append(Sample("taxohash_searches_answered_total", {"nearness": nearness} | served, count))
        return found + (self._health(served) if self.health else [])

    def _health(self, served: dict[str, str]) -> list[Sample]:
        queries = sum(self.answered.values())
        found = [
            Sample("taxohash_queries_total", served, queries),
            Sample("taxohash_queries_reference", served, 2000.0),
            Sample("taxohash_canaries", served, self.canaries),
            Sample("taxohash_unlike_total", served, self.unlike),
            Sample("taxohash_unlike_reference", served, 0.05),
        ]
        for band, count in enumerate(self.bands):
            labels = served | {"band": str(band)}
            found.append(Sample("taxohash_nearest_band_total", labels, count))
            found.append(Sample("taxohash_nearest_band_reference", labels, 1 / BANDS))
        for level in LEVELS:
            labels = served | {"level": level}
            found += [
                Sample("taxohash_confidence_sum", labels, self.confidence * queries),
                Sample("taxohash_confidence_count", labels, queries),
                Sample("taxohash_confidence_reference", labels, 0.9),
                Sample("taxohash_canary_recall", labels, self.recall),
                Sample("taxohash_canary_recall_reference", labels, 0.95),
            ]
        return found

    def swap(self, generation: str) -> None:
        """Another generation is served from now on, whose series begin at 0."""
        fresh = Metrics()
        self.generation, self.requests, self.answered = generation, fresh.requests, fresh.answered
        self.bands, self.unlike = fresh.bands, 0

    def ask(self, queries: int, far: int = 0, bands: Sequence[int] = range(BANDS)) -> None:
        """So many searches more, of which some are far; each in one of the bands in turn."""
        self.requests["2xx"] += queries
        self.seconds[1] += queries
        self.timed["in time"] += queries
        self.answered["near"] += queries - far
        self.answered["far"] += far
        for query in range(queries):
            self.bands[bands[query % len(bands)]] += 1


def recorder_of(
    metrics: Metrics, readings: int, between: Callable[[int], None], since: float = 1_795_731_512.0
) -> Recorder:
    """What was recorded; `between` is done before each reading but the first."""
    time = since
    recorder = Recorder(metrics.read, lambda: time)
    for reading in range(readings):
        if reading:
            time += SECONDS
            between(reading)
        recorder.record()
    return recorder
