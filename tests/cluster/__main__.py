"""A real Kubernetes node on this machine, and what happens on it: python -m tests.cluster [--scene NAME]... [--out FOLDER] [--keep]."""

import argparse
import signal
import sys
import time
from pathlib import Path

from taxohash.errors import TaxohashError
from tests.cluster import story
from tests.cluster.images import make_images
from tests.cluster.node import Node, Unavailable
from tests.cluster.node.here import check
from tests.cluster.node.unavailable import EXIT_CODE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scene", action="append", default=[], choices=story.names(), help="one of them; all, if left out"
    )
    parser.add_argument("--list", action="store_true", help="name the scenes, and do nothing")
    parser.add_argument("--out", type=Path, help="folder for what was found")
    parser.add_argument("--home", type=Path, help="folder of the node; one in the cache, if left out")
    parser.add_argument("--keep", action="store_true", help="leave the node up")
    given = parser.parse_args()
    if given.list:
        print("\n".join(story.names()))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check()
        make_images(_tell)
        with Node.up(given.home, _tell, keep=given.keep) as node:
            return story.tell(node, _tell, given.scene, given.out)
    except Unavailable as reason:
        print(f"cluster: {reason}", file=sys.stderr)
        return EXIT_CODE
    except (AssertionError, TaxohashError) as broken:
        print(f"cluster: {broken}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


_BEGUN = time.monotonic()


def _tell(what: str) -> None:
    print(f"{time.monotonic() - _BEGUN:7.1f} s  {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
