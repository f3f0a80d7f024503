"""Rules of cost: what a challenger takes to serve."""

from taxohash.release.gate.evidence import Evidence
from taxohash.release.gate.policy import Policy
from taxohash.release.judging import Finding


def latency(evidence: Evidence, policy: Policy) -> Finding:
    """Encoding a picture takes not much longer than by the champion, and no longer than was set."""
    before = evidence.champion.seconds if evidence.champion else None
    return _bounded(
        "latency",
        "encoding a picture takes {:.3g} ms",
        (evidence.challenger.seconds, before, policy.seconds_most),
        policy.slower_most,
        "slower_most",
        1000.0,
    )


def size(evidence: Evidence, policy: Policy) -> Finding:
    """The network's file is not much larger than the champion's, and no larger than was set."""
    before = evidence.champion.size if evidence.champion else None
    return _bounded(
        "size",
        "the network has {:.3g} MB",
        (evidence.challenger.size, before, policy.bytes_most),
        policy.larger_most,
        "larger_most",
        1e-6,
    )


def _bounded(
    rule: str,
    words: str,
    values: tuple[float | None, float | None, float],
    times: float,
    setting: str,
    unit: float,
) -> Finding:
    """A cost against a bound, 0 for none, and against a multiple of the champion's."""
    value, before, most = values
    if value is None:
        return Finding.refuses(rule, f"challenger's {rule} was not measured: export it again")
    told = words.format(value * unit)
    if 0 < most < value:
        return Finding.refuses(rule, f"{told}: at most {most * unit:.3g} may be")
    if not before:
        return Finding.passes(rule, told)
    told += f", {value / before:.2f} times the champion's {before * unit:.3g}"
    if value > times * before:
        return Finding.refuses(
            rule, f"{told}: {times:g} times may be; if it is meant to cost more, raise {setting}"
        )
    return Finding.passes(rule, told)
