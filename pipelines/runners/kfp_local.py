"""The process that runs one pipeline by kfp.local: `python -m pipelines.runners.kfp_local FILE`.

What kfp prints goes to the log of the run and is read by nobody but people: steps tell of themselves, see pipelines.shared.events.
"""

import importlib
import json
import logging
import os
import signal
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from services.processes import end_children, end_with_parent

SCRATCH = "taxohash-steps-"  # and the number of the process, so that it is known whose a folder was


def main(file: Path) -> int:
    signal.signal(signal.SIGTERM, _end)
    end_with_parent()  # else it would go on unseen, beside the run that is taken up again
    asked = json.loads(file.read_text(encoding="utf-8"))
    from kfp import local

    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    warnings.filterwarnings("ignore", module="kfp")  # settings that only a cluster heeds
    home = Path(asked["parameters"]["work"])
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(home / "pipeline"),
        cache_root=str(home / "cache"),
        enable_caching=True,
    )
    name = asked["pipeline"]
    pipeline = getattr(importlib.import_module(f"pipelines.{name}.pipeline"), name)
    with TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = folder  # kfp removes nothing of what it writes for each step
        try:
            pipeline(**asked["parameters"])
        except RuntimeError as error:  # the step that failed has said why
            print(error, file=sys.stderr)
            return 1
    return 0


def _end(number: int, frame: FrameType | None) -> None:
    end_children()
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
