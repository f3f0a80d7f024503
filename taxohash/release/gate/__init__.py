"""The gate: may a challenger take the champion's place?

`judge` asks every rule, each a small function of the evidence and the policy, and says what they say. `evidence` is what was
measured of both hashers, `quality`, `fitness`, `trust`, `cost` and `soundness` are the rules, `measure` reads the evidence from
folders, `page` puts the judgement at the top of the challenger's report.
"""

from taxohash.release.gate.evidence import Evidence, Measured
from taxohash.release.gate.judge import RULES, judge
from taxohash.release.gate.policy import Policy

__all__ = ["RULES", "Evidence", "Measured", "Policy", "judge"]
