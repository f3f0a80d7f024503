"""The judgement: what all rules say together."""

from collections.abc import Callable

from taxohash.release.gate import cost, fitness, quality, soundness, trust
from taxohash.release.gate.evidence import Evidence
from taxohash.release.gate.policy import Policy
from taxohash.release.judging import Against, Finding, Judgement

Rule = Callable[[Evidence, Policy], Finding]

# What is not sound is not looked at further: numbers that are of other data say nothing.
SOUNDNESS: tuple[Rule, ...] = (
    soundness.numbers,
    soundness.same_data,
    soundness.same_taxonomy,
    soundness.unseen_queries,
)
RULES: tuple[Rule, ...] = (
    quality.not_worse,
    quality.above_floor,
    quality.above_chance,
    fitness.bits,
    fitness.collisions,
    trust.calibration,
    cost.latency,
    cost.size,
)


def judge(evidence: Evidence, policy: Policy | None = None) -> Judgement:
    """Judge a challenger by every rule. It is refused if one refuses it; what it says then is the reason."""
    policy = policy or Policy()
    findings = [rule(evidence, policy) for rule in SOUNDNESS]
    if all(one.verdict == "passes" for one in findings):
        findings += [rule(evidence, policy) for rule in RULES]
    against: Against = "floor" if evidence.champion is None else "champion"
    refused = [one for one in findings if one.verdict == "refused"]
    if any(one.rule == "floor" for one in refused) and all(one.rule != "champion" for one in refused):
        against = "floor"
    decisive = next((one for one in findings if one.rule == against), None)
    telling = refused or [one for one in findings if one.rule == against]
    return Judgement(
        verdict="refused" if refused else "awaits" if policy.approve == "always" else "passes",
        reason="; ".join(one.reason for one in telling),
        against=against,
        compared=decisive.compared if decisive else (),
        findings=tuple(findings),
    )
