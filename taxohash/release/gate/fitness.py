"""Rules of fitness: whether codes use their bits, and tell classes apart."""

from taxohash.release.gate.evidence import Evidence
from taxohash.release.gate.policy import Policy
from taxohash.release.judging import Finding

FEW = 0.001  # share of pairs that collide below which a multiple of it says nothing


def bits(evidence: Evidence, policy: Policy) -> Finding:
    """They carry what the labels need, and about as much as the champion's.

    Bits have no more entropy together than the sum of theirs, and codes that tell labels apart no less than the labels. How many
    bits are dead says little by itself: where there are two classes, half of the bits of class-wise codes are.
    """
    health = evidence.challenger.bit_health
    if not health:
        return Finding.refuses("bits", "challenger's bits were not looked at: evaluate it again")
    dead, count = int(health["dead_bits"]), len(health["balance"])
    entropy = float(health["entropy"])
    told = f"{dead} of {count} bits are dead, their mean entropy is {entropy:.3f} bits"
    needed = policy.entropy_least * evidence.label_entropy
    if entropy * count < needed:
        return Finding.refuses(
            "bits",
            f"{told}, {entropy * count:.2f} in all, and labels have {needed:.2f}: no ranking tells them apart",
        )
    before = evidence.champion.bit_health if evidence.champion else {}
    if not before:
        return Finding.passes("bits", told)
    told += f" against the champion's {float(before['entropy']):.3f}"
    if entropy < float(before["entropy"]) - policy.entropy_most:
        return Finding.refuses("bits", f"{told}: it may be lower by {policy.entropy_most:g}")
    return Finding.passes("bits", told)


def collisions(evidence: Evidence, policy: Policy) -> Finding:
    """Few pairs of different classes have one code, which no ranking tells apart."""
    share = evidence.challenger.collisions
    if share is None:
        return Finding.passes("collisions", "collisions are not counted where pictures have sets of labels")
    told = f"{_percent(share)} of the pairs of different classes have one code"
    if share > policy.collisions_most:
        return Finding.refuses("collisions", f"{told}: {_percent(policy.collisions_most)} may")
    before = evidence.champion.collisions if evidence.champion else None
    if before is None:
        return Finding.passes("collisions", told)
    told += f", of the champion's {_percent(before)}"
    if share > max(before, FEW) * policy.collisions_times_most:
        return Finding.refuses("collisions", f"{told}: {policy.collisions_times_most:g} times as many may")
    return Finding.passes("collisions", told)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
