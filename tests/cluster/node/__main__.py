"""The node that was left up, or a new one.

python -m tests.cluster.node [--home FOLDER] build | up | down [--wipe] | kubectl WORDS... | run WORDS... | load ARCHIVE... | images
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from taxohash.errors import TaxohashError
from tests.cluster.node.cache import programs
from tests.cluster.node.node import Node
from tests.cluster.node.unavailable import EXIT_CODE, Unavailable


def main(words: list[str] | None = None) -> int:
    ours, theirs = _split(sys.argv[1:] if words is None else words)
    given = _parser().parse_args(ours)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _do(given, theirs)
    except Unavailable as reason:
        print(f"cluster: {reason}", file=sys.stderr)
        return EXIT_CODE
    except (AssertionError, TaxohashError) as broken:
        print(f"cluster: {broken}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _do(given: argparse.Namespace, theirs: list[str]) -> int:
    if given.command == "build":
        print(programs(_tell))
        return 0
    if given.command == "up":
        with Node.up(given.home, _tell, keep=True) as node:
            print(node.kubectl("get", "nodes", "--output=wide").stdout, end="")
        return 0
    node = Node.at(given.home, _tell)
    match given.command:
        case "down":
            node.down(wipe=given.wipe)
        case "images":
            print("\n".join(node.images()))
        case "load":
            for archive in given.archives:
                node.load_image(archive)
        case _:
            words = [*(["kubectl"] if given.command == "kubectl" else []), *theirs]
            # As if it had been typed: its terminal, its exit code.
            os.execve(*node.command(*words))
    return 0


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is for us, and the command that follows `kubectl` or `run`, options of its own included."""
    ends = [words.index(name) + 1 for name in ("kubectl", "run") if name in words]
    end = min(ends, default=len(words))
    return words[:end], words[end:]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.node", description=__doc__)
    parser.add_argument("--home", type=Path, help="folder of the node; one in the cache, if left out")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build its programs, where that was not done")
    commands.add_parser("up", help="start a new one and leave it up")
    down = commands.add_parser("down", help="end it")
    down.add_argument("--wipe", action="store_true", help="and remove its folder, images included")
    for name, help in (("kubectl", "as its administrator"), ("run", "a command in its network")):
        commands.add_parser(name, help=help)
    load = commands.add_parser("load", help="images from archives, as `docker save` writes them")
    load.add_argument("archives", nargs="+", type=Path)
    commands.add_parser("images", help="which ones it has")
    return parser


def _tell(what: str) -> None:
    print(f"cluster: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
