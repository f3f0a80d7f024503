"""Draw every panel of every dashboard from a system that is really used: python -m tests.dashboards [--out FOLDER] [--seconds N]."""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.dashboards.boards import boards
from tests.dashboards.draw import beginning, draw, file_of, page
from tests.dashboards.world import ROOT, World, loaded
from tests.support.monitoring import PROGRAMS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / ".dashboards", help="where the pictures go")
    parser.add_argument("--seconds", type=float, default=90.0, help="for which the system is used")
    parser.add_argument(
        "--renew", action="store_true", help="the pictures in docs too, of the first rows of two"
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not PROGRAMS.is_dir():
        print("dashboards: Prometheus is not here: `sh scripts/monitoring` says why", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="dashboards-") as home:
        try:
            with loaded(Path(home).resolve(), given.seconds, _tell) as world:
                drawn(world, given.out, given.renew)
        except AssertionError as broken:
            print(f"dashboards: {broken}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    print(f"open {given.out.resolve() / 'index.html'}")
    return 0


def drawn(world: World, out: Path, renew: bool) -> None:
    """All dashboards, and the page of them."""
    out.mkdir(parents=True, exist_ok=True)
    source, variables = world.source(), world.variables()
    for board in boards():
        draw(board, source, variables).save(out / file_of(board), optimize=True)
        _tell(f"{file_of(board)} is drawn")
    for board in boards() if renew else ():
        if sections := _IN_DOCS.get(board["title"]):
            picture = draw(beginning(board, sections), source, variables)
            picture.save(ROOT / "docs" / f"dashboard-{file_of(board)}", optimize=True)
    seconds = round(source.end - source.begin)
    page(boards(), out, f"Drawn from {seconds} seconds of a system that was scraped each second.")


_IN_DOCS = {"Service": 3, "Retrieval quality": 4}  # sections that README shows
_BEGUN = time.monotonic()


def _tell(what: str) -> None:
    print(f"{time.monotonic() - _BEGUN:7.1f} s  {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
