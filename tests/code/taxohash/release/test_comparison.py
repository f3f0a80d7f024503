"""What a comparison comes to, in numbers and words."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taxohash.generation.hasher import Hasher
from taxohash.release.compare import Mean
from taxohash.release.comparison import Comparison, comparison, percent, points, sentence
from taxohash.release.query_sets import QuerySet
from taxohash.release.shadow import DEEP, SHOWN, Shadow, shadow
from taxohash.taxonomy import Taxonomy
from tests.support.generations import TAXONOMY
from tests.support.shadows import PICTURES, generation, labels_of

ITEMS = [*PICTURES]
OLD, NEW = ITEMS[:50], ITEMS[8:]
# The same labels by their numbers, of which one has another path, and one level less.
OTHER = Taxonomy(
    "signs by hue", (*(path[:2] + path[-1:] for path in TAXONOMY.paths[:5]), ("grey", "mid")), ()
)


def queries(items: Sequence[str] = ITEMS, labelled: bool = True, name: str = "test") -> QuerySet:
    labels = [[TAXONOMY.paths[label] for label in labels_of(item)] for item in items] if labelled else None
    return QuerySet(name, items, lambda rows: [PICTURES[items[row]] for row in rows], labels, True)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    return generation(tmp_path_factory.mktemp("before"), 0, OLD)


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    return generation(tmp_path_factory.mktemp("after"), 1, NEW, bits=31, taxonomy=OTHER)


@pytest.fixture(scope="module")
def found(before: Hasher, after: Hasher) -> Shadow:
    return shadow(before, after, [queries(), queries(ITEMS[:3], labelled=False, name="real")], notes=["so."])


@pytest.fixture(scope="module")
def told(found: Shadow) -> Comparison:
    return comparison(found)


def measured(mean: Mean | None) -> tuple[float, int]:
    assert mean is not None
    return mean.value, mean.queries


def test_numbers_are_those_of_the_answers_one_by_one(found: Shadow, told: Comparison) -> None:
    own, asked = told.sets[0], found.asked[0]
    assert (own.pictures, own.asked, own.left_out) == (60, 60, 0)
    for k in (1, SHOWN, DEEP):
        shares = [
            len(one & other) / len(one)
            for one, other in (
                ({*old[:k]} - {-1}, {*new[:k]} - {-1})
                for old, new in zip(asked.before.common.tolist(), asked.after.common.tolist(), strict=True)
            )
        ]
        assert measured(own.overlap[str(k)]) == pytest.approx((np.mean(shares), 60))
    kept = [
        len({*old} & {*new}) / SHOWN
        for old, new in zip(asked.before.found.tolist(), asked.after.found.tolist(), strict=True)
    ]
    assert measured(own.kept) == pytest.approx((np.mean(kept), 60))
    assert sum(own.before.nearest) == sum(own.after.tenth) == 60
    assert (len(own.before.nearest), len(own.after.nearest)) == (21, 32)
    assert [one.kept for one in own.picked] == sorted(kept)[:6]
    assert own.picked[0].name == ITEMS[own.picked[0].row]


def test_levels_are_compared_by_names_and_precision_is_of_labelled_queries(
    found: Shadow, told: Comparison
) -> None:
    own, asked = told.sets[0], found.asked[0]
    assert told.levels == ("level1", "level2", "level3")  # of the later tree
    labelled = [query for query, item in enumerate(ITEMS) if labels_of(item)]
    for level in range(3):
        shares = [
            np.mean(
                [
                    any(
                        TAXONOMY.paths[mine][: level + 1] == path[: level + 1]
                        for mine in labels_of(ITEMS[query])
                        for path in found.after.paths(item)
                    )
                    for item in asked.after.found[query].tolist()
                ]
            )
            for query in labelled
        ]
        assert own.precision[level].value == pytest.approx(np.mean(shares))
    assert [part.first.queries for part in own.agreement if part.first] == [
        sum(
            bool(found.before.paths(old)) and bool(found.after.paths(new))
            for old, new in zip(
                asked.before.found[:, 0].tolist(), asked.after.found[:, 0].tolist(), strict=True
            )
        )
    ] * 3
    assert told.sets[1].precision == ()


def test_what_has_to_be_known_is_noted(told: Comparison) -> None:
    assert told.notes[:2] == (
        "so.",
        "Only 42 items are in both generations: where there are fewer than k, overlap at k is of those.",
    )
    notes = "\n".join(told.notes)
    assert "Codes have 20 bits before and 31 after" in notes
    assert "2 classes are new: warm/yellow/yellow, grey/mid." in notes
    assert "2 classes are gone: warm/yellow, grey <b>&amp;." in notes
    unknown = sum(labels_of(item) in ([2], [5]) for item in ITEMS)
    assert f"{unknown} queries of test are of classes that the tree after does not have." in notes
    assert (told.before.alone, told.after.alone, told.common) == (8, 10, 42)


def test_programs_get_all_of_it(told: Comparison) -> None:
    data = json.loads(json.dumps(told.as_dict()))
    assert data["said"] == told.said
    assert data["sets"][0]["overlap"].keys() == {"1", "10", "100"}
    assert {"metric", "value", "bound", "difference", "low", "high"} == data["sets"][0]["precision"][0].keys()


def test_the_same_generation_changes_nothing(before: Hasher) -> None:
    same = comparison(shadow(before, before, [queries()]))
    (own,) = same.sets
    assert same.said == "This is the same generation: nothing would change."
    assert same.is_same
    assert {mean.value for mean in (*own.overlap.values(), own.kept) if mean} == {1.0}
    assert own.correlation is not None
    assert (own.correlation.lower, own.correlation.upper) == (1.0, 1.0)
    assert {mean.value for part in own.agreement for mean in (part.first, part.majority) if mean} == {1.0}
    assert {(part.difference, part.low, part.high) for part in own.precision} == {(0.0, 0.0, 0.0)}
    assert own.before == own.after
    assert own.picked == ()


def test_equal_codes_of_another_generation_are_said_to_be_alike(before: Hasher, tmp_path: Path) -> None:
    again = generation(tmp_path, 0, OLD, taxonomy=replace(TAXONOMY, name="another"))
    told = comparison(shadow(before, again, [queries()]))
    right = percent(told.sets[0].precision[-1].value)
    assert told.said == (
        "The first 10 answers to a query of test would be the same items; most of them would be of the same classes for every query; "
        f"{right} of them would be of the query's own sign, as before."
    )


def test_nothing_in_common_is_said(tmp_path: Path) -> None:
    one, other = generation(tmp_path / "a", 0, ITEMS[:20]), generation(tmp_path / "b", 0, ITEMS[20:26])
    told = comparison(shadow(one, other, [queries(ITEMS[50:])]))
    assert told.sets[0].overlap == {"1": None, "10": None, "100": None}
    assert told.sets[0].correlation is None
    assert sum(told.sets[0].after.tenth) == 0  # fewer than ten items
    assert told.said.startswith(
        "All of the first 10 answers to a query of test would be other items; most of them"
    )
    assert told.notes[0].startswith("No item is in both generations")
    assert len(told.sets[0].picked) == 6


def test_the_sentence_says_what_changes(told: Comparison) -> None:
    own = told.sets[0]
    assert own.kept is not None
    assert told.said.startswith(
        f"Of the first 10 answers to a query of test, {10 * (1 - own.kept.value):.1f} would be other items; "
        "most of them would be of another level3 for "
    )
    assert "of them would be of the query's own level3 instead of" in told.said
    assert told.said == sentence(told.sets, told.levels, False)
    assert sentence(told.sets[1:], told.levels, False).count("own") == 0  # their labels are not known


def test_shares_are_not_rounded_to_none_or_all() -> None:
    shares = (0.0, 0.0004, 0.004, 0.012, 0.987, 0.995, 0.9999, 1.0)
    assert [percent(share) for share in shares] == [
        "0 %", "under 0.1 %", "0.4 %", "1 %", "99 %", "99.5 %", "over 99.9 %", "100 %",
    ]  # fmt: skip
    assert points(0.0312) == "+3.1"
