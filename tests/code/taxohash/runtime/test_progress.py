"""Progress in a log: lines now and then, none where nobody asked for them."""

import io

import pytest
from rich.console import Console

from taxohash.runtime import progress


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    text = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=text))
    return text


def test_a_log_gets_a_line_when_it_is_time(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with progress.bars() as display:
        task = display.add_task("training", total=300, note="")
        for step in range(300):
            now[0] += 0.5
            display.update(task, advance=1, note=f"loss {step}")
    told = log.getvalue().splitlines()
    assert [line.split(", ")[:2] for line in told] == [
        ["· training 120/300", "loss 119"],
        ["· training 240/300", "loss 239"],
    ]


def test_what_is_done_at_once_or_unwatched_says_nothing(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(progress.track(range(1000), 1000, "reading")) == list(range(1000))
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    assert list(progress.track(range(1000), 1000, "reading", shown=False)) == list(range(1000))
    assert log.getvalue() == ""
    list(progress.track(range(1000), 1000, "reading"))
    assert log.getvalue().startswith("· reading 256/1000")
