"""Break everything around the code store, and see that it keeps what it has acknowledged.

python -m tests.chaos [--seed N] [--minutes M] [--scenario NAME]
"""

import argparse
import secrets
import sys

import pytest

from tests.chaos.places import SCENARIOS
from tests.chaos.run import Outcome, run

_SHOWN = 10  # violations, and errors told to clients


def main() -> int:
    """0 where nothing was found; 1, and the seed again, otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of a run to repeat")
    parser.add_argument("--minutes", type=float, default=15.0, help="altogether")
    parser.add_argument("--scenario", choices=(*SCENARIOS, "all"), default="all")
    options = parser.parse_args()
    scenarios = SCENARIOS if options.scenario == "all" else (options.scenario,)
    print(f"seed {options.seed}, {options.minutes:g} minutes, {', '.join(scenarios)}", flush=True)
    good = True
    for scenario in scenarios:
        try:
            outcome = run(scenario, options.seed, options.minutes * 60 / len(scenarios))
        except pytest.skip.Exception as skipped:
            print(f"\n{scenario}: not tried, {skipped}")
            continue
        print(table(outcome), flush=True)
        good &= outcome.good
    print("\nnothing was lost" if good else f"\nrepeat it with SEED={options.seed}")
    return 0 if good else 1


def table(outcome: Outcome) -> str:
    """What happened in a run, for people."""
    lines = ["", f"{outcome.scenario}, seed {outcome.seed}"]
    for title, counts in (("", outcome.counts), ("faults", outcome.faults)):
        lines += [title] if title else []
        lines += [f"  {count:>8,}  {name}" for name, count in sorted(counts.items())]
    lines += ["errors told to clients"]
    lines += [f"  {count:>8,}  {name}" for name, count in outcome.troubles.most_common(_SHOWN)]
    lines += [f"{len(outcome.violations)} violations, {len(outcome.broken)} broken clients"]
    lines += [f"  {violation}" for violation in outcome.violations[:_SHOWN]]
    lines += outcome.broken[:_SHOWN]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
