"""A `taxohash pipeline` that makes nothing: it writes down that it was started, waits as it is told, and prints an outcome.

`fake_taxohash.py FOLDER run retrain --collection C [--revision R] --run NAME --json`. FOLDER/script.json may say {"seconds", "verdict",
"generation", "dies", "refuses"}; FOLDER/ledger has a line for each start and each end.
"""

import itertools
import json
import os
import sys
import time
from pathlib import Path


def main() -> int:
    folder, command, *words = sys.argv[1:]
    home = Path(folder)
    given = dict(itertools.pairwise(words))
    script = json.loads((home / "script.json").read_text()) if (home / "script.json").exists() else {}
    if command == "approve":
        _write(home, {"event": "approve", "words": words})
        print(script.get("approve_says", "published"))
        return int(script.get("approve_code", 0))
    told = {
        "run": given["--run"],
        "pipeline": words[0],
        "revision": given.get("--revision", ""),
        "pid": os.getpid(),
    }
    _write(home, {"event": "started", **told})
    if script.get("refuses"):
        print(
            "taxohash pipeline run: unrecognized arguments: --nope: see taxohash pipeline run --help",
            file=sys.stderr,
        )
        return 2
    until = time.monotonic() + script.get("seconds", 0.0)
    while time.monotonic() < until and not (home / "finish").exists():
        time.sleep(0.01)
    if script.get("dies"):
        print("error: it broke", file=sys.stderr)
        return 1
    outcome = {
        "run": given["--run"], "pipeline": words[0], "collection": given["--collection"], "reason": "the fake says so",
        "verdict": script.get(words[0], script.get("verdict", "published")), "started": time.time(),
        "generation": script.get("generation", ""), "champion": "old",
    }  # fmt: skip
    print("a line of progress")
    print(json.dumps(outcome))
    _write(home, {"event": "ended", **told})
    return 0


def _write(home: Path, line: dict[str, object]) -> None:
    handle = os.open(home / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, (json.dumps(line) + "\n").encode())
    os.close(handle)


if __name__ == "__main__":
    sys.exit(main())
