"""Close the loop once, with all processes as they are: python -m tests.loop [--quick] [--home FOLDER] [--out FOLDER]."""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from tests.loop.runners import QUICK, THOROUGH
from tests.loop.story import tell
from tests.loop.timeline import Timeline
from tests.support.monitoring import PROGRAMS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="with a stand-in for the pipelines that trains nothing"
    )
    parser.add_argument("--home", type=Path, help="new folder for all that is made, which is then kept")
    parser.add_argument(
        "--out", type=Path, help="folder for loop.json and loop.png, all of it and a picture of it"
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not PROGRAMS.is_dir():
        print("loop: Prometheus is not here: `sh scripts/monitoring` says why", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="loop-") as scratch:
        home = given.home or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        try:
            told = tell(home.resolve(), QUICK if given.quick else THOROUGH, Timeline())
        except AssertionError as broken:
            print(f"loop: {broken}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "loop.json").write_text(json.dumps(told))
        from tests.loop.picture import draw  # slow to import

        draw(told, given.out / "loop.png")
    print(json.dumps(told["found"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
