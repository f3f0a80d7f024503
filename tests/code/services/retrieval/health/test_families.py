"""What is scraped: the catalogue's names and labels, and the values of what is counted and expected."""

from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from services import metrics
from services.retrieval.health import Health
from services.retrieval.health.families import FAMILIES, TOLD, Families
from taxohash.drift.statistics import bit_psi, psi
from taxohash.generation.hasher import Hasher
from tests.support import watched as support
from tests.support.generations import BITS, TAXONOMY

QUERIES = 60
Samples = dict[
    str, dict[tuple[str, ...], float]
]  # by name, and by the values of the labels but the generation, by their names


def asked(health: Health, queries: int = QUERIES) -> Health:
    """One that has answered some queries, and whose canaries were asked."""
    random = np.random.default_rng(1)
    for _ in range(queries):
        path = [
            {"name": str(name), "confidence": float(random.uniform(0.5, 1))}
            for name in ("warm", "red")[: random.integers(3)]
        ]
        health.tally.add(
            int(random.integers(9)), random.bytes(2) + b"\xf0", path, bool(random.random() < 0.3)
        )
    health.rounds.count, health.rounds.recall, health.rounds.asked = 12, (0.9, 0.8, 0.7), 1e9
    health.entropy.value = 0.75
    return health


def scraped(health: Health) -> Samples:
    registry, told = CollectorRegistry(), Families()
    told.tell(lambda: health)
    registry.register(told)
    found: Samples = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("generation") == health.generation
            values = found.setdefault(sample.name, {})
            key = tuple(labels[name] for name in sorted(labels))
            assert key not in values
            values[key] = sample.value
    return found


@pytest.fixture(scope="module")
def health(watched: Hasher) -> Health:
    return asked(Health(watched))


@pytest.fixture(scope="module")
def samples(health: Health) -> Samples:
    return scraped(health)


def test_all_that_is_catalogued_is_there_and_nothing_else(samples: Samples) -> None:
    assert set(samples) == {name for metric in TOLD for name in metric.samples}
    section = [name for name, own in metrics.CATALOGUE.items() if metrics.SERVED in own.labels]
    assert sorted(own.name for own in TOLD) == sorted(section)
    names = {name for own in TOLD for name in own.samples}
    registered = metrics.REGISTRIES["retrieval"]._names_to_collectors
    assert all(registered[name] is FAMILIES for name in names)


def test_labels_are_those_of_the_catalogue(health: Health) -> None:
    registry, told = CollectorRegistry(), Families()
    told.tell(lambda: health)
    registry.register(told)
    by_name = {metric.name.removesuffix("_total"): metric for metric in TOLD}
    for family in registry.collect():
        metric = by_name[family.name]
        assert family.type == metric.kind
        assert family.documentation == metric.meaning
        assert len(family.samples) <= metric.most_series
        for sample in family.samples:
            assert [name for name in sample.labels if name != "le"] == [own.name for own in metric.labels]
            for own in metric.labels:
                assert sample.labels[own.name] in (own.values or (sample.labels[own.name],))


def test_values_are_what_was_counted(health: Health, samples: Samples) -> None:
    counted, bands = health.tally.counted(), samples["taxohash_nearest_band_total"]
    assert samples["taxohash_queries_total"] == {(): QUERIES}
    near = samples["taxohash_searches_answered_total"]
    assert near == {
        ("near",): counted.distances[: health.reach + 1].sum(),
        ("far",): counted.distances[health.reach + 1 :].sum(),
    }
    assert 0 < near[("near",)] < QUERIES
    assert sum(bands.values()) == QUERIES
    assert bands.keys() == samples["taxohash_nearest_band_reference"].keys()
    tops = samples["taxohash_top_node_total"]
    assert sum(tops.values()) == QUERIES
    assert tops.keys() == samples["taxohash_top_node_reference"].keys()
    assert tops[("cold",)] == 0 < tops[("none",)]
    within = samples["taxohash_nearest_distance_bucket"]
    assert within[("4.0",)] == counted.distances[:5].sum()
    assert within[("64.0",)] == within[("+Inf",)] == QUERIES  # codes have fewer bits
    assert samples["taxohash_nearest_distance_sum"][()] == (counted.distances * np.arange(BITS + 1)).sum()
    for number, level in enumerate(TAXONOMY.levels):
        assert samples["taxohash_confidence_bucket"][("0.25", level)] == counted.sure[number, 0]
        assert samples["taxohash_confidence_bucket"][("0.75", level)] == counted.sure[number, :3].sum()
        assert samples["taxohash_confidence_count"][(level,)] == QUERIES
        assert samples["taxohash_confidence_sum"][(level,)] == pytest.approx(counted.sums[number])
        assert samples["taxohash_canary_recall"][(level,)] == health.rounds.recall[number]
    assert samples["taxohash_bit_set_total"] == {
        (str(bit),): n for bit, n in enumerate(counted.bits.tolist())
    }
    assert samples["taxohash_unlike_total"] == {(): counted.unlike}
    assert samples["taxohash_code_entropy"] == {(): 0.75}
    assert samples["taxohash_canaries"] == {(): 12}


def test_psi_of_what_is_scraped_is_that_of_the_checks_for_drift(samples: Samples) -> None:
    """Shares are of counts; half a picture more in each cell, as the checks have it, can be had from them."""
    queries, reference = samples["taxohash_queries_total"][()], samples["taxohash_queries_reference"][()]
    made = support.reference()
    assert made.told is not None
    assert made.codes is not None

    def told(counts: str, shares: str) -> float:
        cells = len(samples[shares])
        q = [(n + 0.5) / (queries + 0.5 * cells) for n in samples[counts].values()]
        p = [(share * reference + 0.5) / (reference + 0.5 * cells) for share in samples[shares].values()]
        return float(sum((b - a) * np.log(b / a) for a, b in zip(p, q, strict=True)))

    names = [*(path[0] for path in TAXONOMY.class_paths(0)), "none"]
    now = np.array([samples["taxohash_top_node_total"][(name,)] for name in names]) / queries
    before = np.array([*((made.told == top).mean() for top in range(3)), (made.told < 0).mean()])
    wanted = float(psi(before, now, reference, queries))
    assert told("taxohash_top_node_total", "taxohash_top_node_reference") == pytest.approx(wanted)
    shares = np.array([*samples["taxohash_bit_set_total"].values()]) / queries
    bits = bit_psi(np.unpackbits(made.codes, axis=1)[:, :BITS].mean(axis=0), shares, reference, queries)
    q = (np.array([*samples["taxohash_bit_set_total"].values()]) + 0.5) / (queries + 1)
    p = (np.array([*samples["taxohash_bit_set_reference"].values()]) * reference + 0.5) / (reference + 1)
    assert (q - p) * (np.log(q / p) - np.log((1 - q) / (1 - p))) == pytest.approx(bits)


def test_a_generation_that_knows_nothing_has_no_series_of_what_it_does_not_know(silent: Hasher) -> None:
    found = scraped(Health(silent))
    assert set(found) == {
        "taxohash_queries_total",
        "taxohash_searches_answered_total",
        "taxohash_nearest_distance_bucket",
        "taxohash_nearest_distance_count",
        "taxohash_nearest_distance_sum",
        "taxohash_bit_set_total",
    }


def test_of_codes_that_are_too_long_no_bit_is_told(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "BIT", replace(metrics.BIT, most=BITS - 1))
    assert not [name for name in scraped(health) if "bit_set" in name]


@pytest.fixture
def told() -> Families:
    return Families()


def test_what_is_served_is_told_and_nothing_when_nothing_is(told: Families, health: Health) -> None:
    assert not [*told.collect()]
    serves, other = (lambda: health), (lambda: None)
    told.tell(serves)
    assert [*told.collect()]
    told.tell(other)  # another service in this process
    assert not [*told.collect()]
    told.forget(other)
    assert [*told.collect()]
    told.forget(serves)
    told.forget(serves)
    assert not [*told.collect()]
