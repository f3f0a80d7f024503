"""Run the retraining pipeline on this machine with kfp.local: `python -m pipelines.runners.local --help`."""

import argparse
import logging
import re
import sys
import warnings
from pathlib import Path

from services import settings
from services.codestore.own import address
from services.processes import end_children
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import PAGE
from taxohash.runtime import flags
from taxohash.runtime.atomic import writable
from taxohash.runtime.configuration import canonical
from taxohash.runtime.progress import announce
from taxohash.runtime.sources import steps_digest
from taxohash.runtime.terminal import printable
from taxohash.training.config import HasherConfig


def main(arguments: list[str] | None = None) -> int:
    parser = flags.Parser(prog="python -m pipelines.runners.local", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data set folder")
    parser.add_argument(
        "--home", type=Path, default=Path(".demo"), help="where runs, generations and outputs go"
    )
    parser.add_argument("--collection", default=settings.COLLECTION.of())
    parser.add_argument(
        "--splits",
        default="",
        help="splits that can be found, such as train,test; all but canary if left out",
    )
    flags.add_flags(parser, HasherConfig)
    given = parser.parse_args(arguments)
    try:
        run = _run(given)
    except TaxohashError as error:
        print(f"error: {printable(error)}")
        return 2
    except RuntimeError as error:  # the step that failed has said why
        print(f"pipeline stopped: {_uncoloured(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        end_children()
        print("pipeline interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    announce(f"report: {run / PAGE}")
    return 0


def _run(given: argparse.Namespace) -> Path:
    """Where the run lies that the pipeline trained and evaluated."""
    home = writable(given.home.resolve())
    config = canonical(flags.chosen(HasherConfig, vars(given)))
    # Slow, and so here: what is refused above is refused at once, and Ctrl-C is one line from the beginning.
    from kfp import local

    from pipelines.retrain.pipeline import retrain
    from taxohash.datasets.identity import directory_md5

    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")  # answers from the cache
    warnings.filterwarnings("ignore", module="kfp")  # settings that only a cluster heeds
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(home / "pipeline"),
        cache_root=str(home / "cache"),
        enable_caching=True,
    )
    dataset_md5 = directory_md5(given.data)
    with address():  # where it is the user's own store, it stays from step to step
        task = retrain(
            dataset_md5=dataset_md5,
            config=config,
            image=f"local/python:{steps_digest()[:12]}",
            data=str(given.data.resolve()),
            work=str(home),
            generations=str(home / "generations"),
            collection=given.collection,
            splits=given.splits,
        )
    return Path(task.output.path)


def _uncoloured(text: str) -> str:
    """What kfp says, which it colours whether or not somebody looks."""
    return printable(re.sub(r"\x1b\[[\d;]*m", "", text))


if __name__ == "__main__":
    sys.exit(main())
