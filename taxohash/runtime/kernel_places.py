"""Where compiled kernels are: packed beside the packages, for several kinds of CPUs, or kept by this user, for this CPU.

Packed ones come with a Bento: PACKED/IDENTITY/TARGET/PART, where a part holds what NUMBA_CACHE_DIR would. Numba learns
which CPU it compiles for while it is imported, so the choice is made before; this module imports nothing of it.
"""

import logging
import os
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

from taxohash.runtime import cpu, sources

KERNELS = ("taxohash/hamming/kernels", "taxohash/metrics", "services/codestore/follower/kernels")
PACKED = "taxohash-kernels"
_log = logging.getLogger(__name__)


def choose() -> None:
    """Have numba compile for the best kind of CPU that this one is and that kernels are packed for.

    What the user or an earlier import has chosen stays. For the packages of kernels, before they import numba.
    """
    packed = sources.ROOT / PACKED
    chosen = {"NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"} & os.environ.keys()
    if "numba" in sys.modules or chosen or not packed.is_dir():
        return
    there = [target for target in cpu.TARGETS if packed_parts(target)]
    target = cpu.best(cpu.flags(), there)
    if target:
        os.environ |= target.environment
        return
    what = "kinds of CPUs that this one is not" if there else "other sources, or another Python or numba"
    _log.warning("compiled kernels in %s are not used, they are for %s: compiling anew", packed, what)


def packed_parts(target: cpu.Target) -> list[Path]:
    """The folders of packed kernels for a target that are of these sources."""
    folder = sources.ROOT / PACKED / identity() / target.name
    return sorted(folder.iterdir()) if folder.is_dir() else []


def user_folder() -> Path:
    """Where this user's compiled kernels are kept."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "taxohash" / "kernels"


@cache
def identity() -> str:
    """Tells compiled kernels apart: by all sources of kernels together, as those of one package may be inlined in another,
    and by what compiles them.
    """
    compilers = [f"{name}=={metadata.version(name)}" for name in ("numba", "llvmlite")]
    python = ".".join(map(str, sys.version_info[:2]))
    return sources.digest(sources.files(*KERNELS), [f"python {python}", *compilers])[:16]
