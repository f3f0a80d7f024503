"""Pipelines on this machine and in Kubeflow: run, submit, watch, approve and schedule them, and clear what they leave.

Exit codes of run and submit: 0 published, nothing drifted, or chosen, 1 failed, or what is needed does not answer now, 2 refused before it began, 3 awaiting
approval, 4 refused, 5 drifted, 130 interrupted.
"""

import sys
from collections.abc import Sequence

from pipelines.cli import approve, backfill, cancel, logs, prune, run, schedule, status, submit, trainjob
from services.runs import EXIT_CODES, REFUSED_CODE, Verdict
from taxohash.errors import TaxohashError, UnavailableError
from taxohash.runtime.flags import Parser
from taxohash.runtime.requirements import remedy
from taxohash.runtime.terminal import printable

COMMANDS = {
    "run": run,
    "submit": submit,
    "status": status,
    "cancel": cancel,
    "logs": logs,
    "approve": approve,
    "schedule": schedule,
    "backfill": backfill,
    "trainjob": trainjob,
    "prune": prune,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the words after `taxohash pipeline`."""
    parser = Parser(prog="taxohash pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS.values():
        command.add(commands)
    given = parser.parse_args(words)
    try:
        code: int = COMMANDS[given.command].run(given)
        return code
    except TaxohashError as error:
        print(f"taxohash pipeline {given.command}: {printable(error)}", file=sys.stderr)
        return EXIT_CODES[Verdict.FAILED] if isinstance(error, UnavailableError) else REFUSED_CODE
    except ModuleNotFoundError as error:
        if (text := remedy(error)) is None:
            raise
        print(f"taxohash pipeline {given.command}: {text}", file=sys.stderr)
        return REFUSED_CODE
    except KeyboardInterrupt:
        print(f"taxohash pipeline {given.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
