"""Names are printed as they are: no markup, no emoji codes, nothing a terminal obeys."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.runtime import progress, terminal
from taxohash.runtime.terminal import printable, shortened, some

NAMES = (
    "[bold]",
    "[/red]",
    "[red]x[/red]",
    ":smile:",
    "a\\[b",
    "👨‍👩‍👧 Käse",
    "שלום",
    "x" * 300,
    "{0}",
    "%s",
)


def shown(name: str) -> str:
    out = io.StringIO()
    made = terminal.table((name, "n"), [(name, "1")], title=name, right=1)
    terminal.console(file=out, width=1000).print(made)
    return out.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_a_table_shows_names_as_they_are(name: str) -> None:
    assert shown(name).count(name) == 3


@given(st.text())
def test_any_text_is_one_line_that_no_terminal_obeys(text: str) -> None:
    line = printable(text)
    assert line.isprintable() or not {"\n", "\r", "\x1b", "\u2028", "\u2029", "\x85", "\u202e"} & {*line}
    assert printable(line) == line
    line.encode()
    shown(text)


def test_what_is_no_letter_is_told() -> None:
    assert printable("a\n\u2028\x1b[2J\udcff\u202eb") == r"a\n\u2028\x1b[2J\udcff\u202eb"
    assert (some([]), some("abc"), some("abcd"), some([1, 2], 1)) == ("", "a, b, c", "a, b, c, ...", "1, ...")


@pytest.mark.parametrize("name", NAMES)
def test_bars_and_news_show_names_as_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    console = terminal.console(
        file=out, width=1000, force_terminal=True, color_system=None, legacy_windows=False
    )
    monkeypatch.setattr(progress, "console", console)
    with progress.bars() as display:
        display.add_task(name, total=2, note=f"at {name}")
        display.refresh()
        assert name in out.getvalue()
        assert f"at {name}" in out.getvalue()
    out.truncate(0)
    progress.announce(name)
    assert f"{progress.MARK} {name}\n" in out.getvalue()


@given(st.text(max_size=30), st.integers(1, 30))
def test_a_shortened_line_keeps_both_ends(line: str, most: int) -> None:
    short = shortened(line, most)
    if len(line) <= most:
        assert short == line
        return
    head = most // 2
    assert len(short) == most
    assert short[head] == "…"
    assert line.startswith(short[:head])
    assert line.endswith(short[head + 1 :])
