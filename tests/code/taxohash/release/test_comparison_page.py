"""The page of a comparison, as text."""

import html
import json
import re
from pathlib import Path

import pytest

from taxohash.release.comparison import Comparison, comparison
from taxohash.release.comparison_page import JSON, PAGE, agreed, colours, plot, write_comparison
from taxohash.release.query_sets import QuerySet
from taxohash.release.shadow import Shadow, shadow
from taxohash.runtime.atomic import read_json
from tests.support.generations import TAXONOMY
from tests.support.shadows import PICTURES, generation, labels_of

ITEMS = [*PICTURES]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Shadow:
    root = tmp_path_factory.mktemp("generations")
    one, other = generation(root / "a", 0, ITEMS[:50]), generation(root / "b", 1, ITEMS[8:])
    labels = [[TAXONOMY.paths[label] for label in labels_of(item)] for item in ITEMS]
    known = QuerySet("test", ITEMS, lambda rows: [PICTURES[ITEMS[row]] for row in rows], labels, True)
    # Of the second, pictures are gone when the page is drawn.
    shown = iter([True])
    gone = QuerySet(
        "real",
        ITEMS[:4],
        lambda rows: [PICTURES[ITEMS[row]] if next(shown, rows.size == 4) else None for row in rows],
    )
    return shadow(one, other, [known, gone])


@pytest.fixture(scope="module")
def told(found: Shadow) -> Comparison:
    return comparison(found)


def test_page_and_json_say_the_same_and_nothing_of_it_is_markup(
    found: Shadow, told: Comparison, tmp_path: Path
) -> None:
    page = write_comparison(tmp_path / "out", told, found, lambda ids: {item: PICTURES[item] for item in ids})
    assert (page, read_json(tmp_path / "out" / JSON, "")) == (
        tmp_path / "out" / PAGE,
        json.loads(json.dumps(told.as_dict())),
    )
    text = page.read_text()
    assert html.escape(told.said, quote=False).replace("'", "&#39;") in text
    assert "<b>1" not in text  # of ids such as item <b>1
    assert "item &lt;b&gt;" in text
    assert "grey &lt;b&gt;&amp;amp;" in text
    assert "http" not in text.replace("http-equiv", "")  # self-contained
    own = told.sets[0]
    shown = sum(len(one.before) + len(one.after) + 1 for one in own.picked)
    assert len(re.findall(r'<img src="data:image/webp;base64,', text)) >= shown
    for one in own.picked:
        assert f"{html.escape(one.name)}<br>" in text
    assert text.count(", gone</small>") + text.count(", new</small>") > 0
    for part in own.precision:
        assert f"{100 * part.value:.1f} %" in text


def test_without_pictures_names_stand_in_their_place(found: Shadow, told: Comparison, tmp_path: Path) -> None:
    text = write_comparison(tmp_path, told, found).read_text()
    before = told.sets[0].picked[0].before[0]
    assert f'class="none" title="{html.escape(before)}: ' in text
    broken = write_comparison(tmp_path, told, found, lambda ids: dict.fromkeys(ids, b"none")).read_text()
    assert broken == text


def test_what_both_give_is_marked(found: Shadow, told: Comparison, tmp_path: Path) -> None:
    text = write_comparison(tmp_path, told, found).read_text()
    both = sum(2 * len({*one.before} & {*one.after}) for own in told.sets for one in own.picked)
    assert text.count(", both") == both == text.count('class="both"')


def test_the_same_generation_shows_no_difference(tmp_path: Path) -> None:
    one = generation(tmp_path / "a", 0, ITEMS[:30])
    same = shadow(one, one, [QuerySet("x", ITEMS[:3], lambda rows: [PICTURES[ITEMS[row]] for row in rows])])
    text = write_comparison(tmp_path, comparison(same), same).read_text()
    assert "This is the same generation: nothing would change." in text
    assert "Where they differ most" not in text


def test_a_plot_is_the_cumulated_share() -> None:
    shown = plot("nearest", ([1, 0, 3, 0], 4), ([0] * 8 + [4], 8))
    assert (shown["middle"], shown["end"], shown["medians"]) == ("50 %", "100 %", ["50 %", "100 %"])
    assert shown["lines"] == ["M0 150H0V112.5H150V0H300", "M0 150H300V0H300"]
    near = plot("nearest", ([4, 0], 1), ([2, 1] + [0] * 63, 64))
    assert (near["end"], near["lines"][0]) == ("5 %", "M0 150H0V0H300")
    empty = plot("tenth", ([0, 0], 1), ([0, 0], 1))
    assert (empty["lines"], empty["medians"]) == (["", ""], ["none", "none"])


@pytest.mark.parametrize("levels", [1, 2, 12])
def test_every_agreement_has_a_colour_of_its_own(levels: int) -> None:
    assert len({*colours(levels)}) == levels + 1
    assert agreed([("a", "b")], [("a", "c"), ("d",)], levels) == 1
    assert agreed([("a",)], [("a",)], levels) == levels
