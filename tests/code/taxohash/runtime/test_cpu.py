"""Which of the kinds of CPUs, that kernels are compiled for, a CPU is."""

import pytest

from taxohash.runtime.cpu import TARGETS, best, flags, target_of

VPOPCNTDQ, V4, V3 = TARGETS
# As /proc/cpuinfo names them, cut down to what matters and some of the rest.
HASWELL = frozenset(
    "fpu sse sse2 pni ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt aes xsave avx f16c lahf_lm abm bmi1 avx2 bmi2".split()  # noqa: SIM905
)
SKYLAKE_X = HASWELL | {"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"}
ICE_LAKE = SKYLAKE_X | {"avx512_vpopcntdq", "avx512_vnni"}


def test_the_best_that_a_cpu_is() -> None:
    assert best(ICE_LAKE) is VPOPCNTDQ
    assert best(SKYLAKE_X) is V4
    assert best(HASWELL) is V3


@pytest.mark.parametrize("lacking", ["avx2", "bmi2", "abm", "movbe", "cx16"])
def test_an_older_cpu_is_none(lacking: str) -> None:
    assert best(HASWELL - {lacking}) is None
    assert best(ICE_LAKE - {lacking}) is None


@pytest.mark.parametrize("lacking", ["avx512f", "avx512bw", "avx512vl"])
def test_parts_of_avx512_are_not_enough(lacking: str) -> None:
    assert best(ICE_LAKE - {lacking}) is V3


def test_of_another_architecture_or_when_nobody_says_it_is_none() -> None:
    assert best(frozenset()) is None
    assert best({"fp", "asimd", "evtstrm", "crc32", "atomics"}) is None


def test_only_what_is_there_is_chosen() -> None:
    assert best(ICE_LAKE, [V3, V4]) is V4
    assert best(SKYLAKE_X, [VPOPCNTDQ]) is None
    assert best(ICE_LAKE, []) is None


def test_a_target_is_known_by_what_llvm_calls_it() -> None:
    for target in TARGETS:
        assert target_of(target.cpu, target.features) is target
    assert target_of("znver4", "") is None
    assert target_of("x86-64-v4", "+avx512vpopcntdq,+avx512bf16") is None


def test_this_cpu_says_what_it_has() -> None:
    assert all(flag.strip() == flag and flag for flag in flags())
