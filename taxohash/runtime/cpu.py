"""Kinds of CPUs that kernels are compiled for ahead of time, and which of them a CPU is. Imports nothing heavy."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_V3 = frozenset(
    ["abm", "avx", "avx2", "bmi1", "bmi2", "cx16", "f16c", "fma", "lahf_lm", "movbe", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3", "xsave"]
)  # fmt: skip
_V4 = _V3 | {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}


@dataclass(frozen=True)
class Target:
    """A kind of CPU.

    Attributes:
        name: ours.
        cpu, features: as LLVM calls it, and what it has besides.
        flags: what such a CPU has, as Linux calls it.
    """

    name: str
    cpu: str
    features: str
    flags: frozenset[str]

    @property
    def environment(self) -> dict[str, str]:
        """What makes numba compile for it, if it is there before numba is imported."""
        return {"NUMBA_CPU_NAME": self.cpu, "NUMBA_CPU_FEATURES": self.features}


# The best first. To count bits is what a search does most, and v4 by itself has no instruction for vectors of them.
TARGETS = (
    Target("x86-64-v4-vpopcntdq", "x86-64-v4", "+avx512vpopcntdq", _V4 | {"avx512_vpopcntdq"}),
    Target("x86-64-v4", "x86-64-v4", "", _V4),
    Target("x86-64-v3", "x86-64-v3", "", _V3),
)


def best(flags: Collection[str], among: Collection[Target] = TARGETS) -> Target | None:
    """The best of some targets that a CPU with these flags is."""
    return next((target for target in TARGETS if target in among and target.flags <= set(flags)), None)


def target_of(cpu: str, features: str) -> Target | None:
    """The target that LLVM calls so."""
    return next((target for target in TARGETS if (target.cpu, target.features) == (cpu, features)), None)


def flags() -> frozenset[str]:
    """What this CPU has, as Linux calls it; nothing where nobody says."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return next((frozenset(line.split()[2:]) for line in lines if line.startswith("flags")), frozenset())
