"""Become the first process of a node: join its control groups, then enter namespaces of its own.

python -m tests.cluster.node.launch HOME PROGRAMS [--kept]
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from services.processes import end_with_parent
from tests.cluster.node import cgroups

_NAMESPACES = ("--net", "--mount", "--pid", "--cgroup", "--uts", "--ipc")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path, help="folder of the node")
    parser.add_argument("programs", type=Path, help="folder of its programs")
    parser.add_argument("--kept", action="store_true", help="go on when whoever starts it has ended")
    given = parser.parse_args()
    if not given.kept:
        parent = os.getppid()
        end_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("whoever starts the node has ended")
    cgroups.join(cgroups.make(given.home))
    init = (sys.executable, "-m", "tests.cluster.node.init", str(given.home), str(given.programs))
    fixed = ("--fork", "--kill-child", "--propagation", "private")
    os.execvp("unshare", ["unshare", *_NAMESPACES, *fixed, *init])


if __name__ == "__main__":
    main()
