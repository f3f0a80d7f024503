"""Attack the service: one that is started here, or, where the attack needs no more than its socket, any.

python -m tests.attack SCENARIO|table [--count N] [--seconds S] [--seed N] [--url URL [--pid PID]] [--column before|after]
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.common.rows import Row
from tests.attack.answers import FORMS
from tests.attack.report import COLUMNS, attacked_commit, keep
from tests.attack.scenario import Plan, Start
from tests.attack.scenarios import SCENARIOS
from tests.attack.target import Target, at, attacked

CORES = os.cpu_count() or 1


def main() -> int:
    """Run what is named; print what was found, and keep it where a column is named."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.attack", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("scenario", choices=(*SCENARIOS, "table"), help="table: all of them, kept as 'after'")
    parser.add_argument(
        "--count", type=int, help="of what the scenario counts: uploads, connections, minutes"
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="after which an attack is broken off")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--url", help="of a service that runs already")
    parser.add_argument("--pid", type=int, default=0, help="of the process that was started for it")
    parser.add_argument("--column", choices=COLUMNS, help="of benchmarks/results/door.md to write")
    parser.add_argument(
        "--form", choices=FORMS, default="problem", help="of errors: problem+json, or what was before"
    )
    parser.add_argument("--keep", type=Path, help="folder for what is answered wrongly")
    options = parser.parse_args()
    column = options.column or ("after" if options.scenario == "table" else None)
    for name in SCENARIOS if options.scenario == "table" else (options.scenario,):
        count = options.count or SCENARIOS[name].count
        plan = Plan(count, options.seconds, options.seed, form=options.form, keep=options.keep)
        row = measured(name, plan, at(Target(options.url, options.pid)) if options.url else attacked)
        print(json.dumps(row, indent=1, ensure_ascii=False))
        for line in SCENARIOS[name].lines(row["figures"]):
            print(f"| {line.what} | {line.asked} | {line.found} |", flush=True)
        if column:
            keep(row | {"column": column})
    return 0


def measured(name: str, plan: Plan, start: Start) -> Row:
    """The row of a scenario."""
    load, begun = round(os.getloadavg()[0], 2), time.monotonic()
    figures = SCENARIOS[name].run(start, plan)
    return {
        "scenario": name,
        "count": plan.count,
        "seed": plan.seed,
        "commit": attacked_commit(),
        "cores": CORES,
        "load": load,
        "seconds": round(time.monotonic() - begun, 1),
        "figures": figures,
    }


if __name__ == "__main__":
    sys.exit(main())
