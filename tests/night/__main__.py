"""A night in ten minutes, with all processes as they are: python -m tests.night [--home FOLDER]."""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from taxohash.errors import TaxohashError
from taxohash.runtime import terminal
from tests.night.story import tell
from tests.night.world import World


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="new folder for all that is made, which is then kept")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="night-") as scratch:
        home = (given.home or Path(scratch)).resolve()
        home.mkdir(parents=True, exist_ok=True)
        try:
            world = World(home)
            with world.store():
                night = tell(world)
        except (AssertionError, TaxohashError) as broken:
            print(f"night: {broken}", file=sys.stderr)
            return 1
        except subprocess.TimeoutExpired as late:
            words = " ".join(map(str, late.cmd[1:]))
            print(
                f"night: {words} has not ended after {late.timeout:.0f} s: free the machine", file=sys.stderr
            )
            return 1
        except KeyboardInterrupt:
            return 130
    rows = [(line.hour, line.happens, line.comes, f"{line.seconds:.0f} s") for line in night.lines]
    terminal.console().print(
        terminal.table(("hour", "what happens", "what comes of it", "took"), rows, right=1)
    )
    print(json.dumps({"runs": night.runs, "audit": night.audit}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
