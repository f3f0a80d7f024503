"""Run the retraining pipeline on this machine with kfp.local: `python -m pipelines.runners.local --help`."""

import logging
import sys
import warnings
from pathlib import Path

from kfp import local

from pipelines.retrain.pipeline import retrain
from services.processes import end_children
from taxohash.datasets.identity import directory_md5
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
    parser.add_argument("--collection", default="catalog")
    parser.add_argument(
        "--splits",
        default="",
        help="splits that can be found, such as train,test; all but canary if left out",
    )
    flags.add_flags(parser, HasherConfig)
    given = parser.parse_args(arguments)
    try:
        home = writable(given.home.resolve())
        config = canonical(flags.chosen(HasherConfig, vars(given)))
    except TaxohashError as error:
        print(f"error: {printable(error)}")
        return 2
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")  # answers from the cache
    warnings.filterwarnings("ignore", module="kfp")  # settings that only a cluster heeds
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(home / "pipeline"),
        cache_root=str(home / "cache"),
        enable_caching=True,
    )
    try:
        task = retrain(
            dataset_md5=directory_md5(given.data),
            config=config,
            image=f"local/python:{steps_digest()[:12]}",
            data=str(given.data.resolve()),
            work=str(home),
            generations=str(home / "generations"),
            collection=given.collection,
            splits=given.splits,
        )
    except TaxohashError as error:
        print(f"error: {printable(error)}")
        return 2
    except RuntimeError as error:  # the step that failed has said why
        print(f"pipeline stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        end_children()
        print("pipeline interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    announce(f"report: {Path(task.output.path) / PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
