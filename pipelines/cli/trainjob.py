"""`taxohash pipeline trainjob`: the manifest of a training on several nodes."""

import argparse
from pathlib import Path
from typing import Any

from pipelines.cli.submit import placement_of
from pipelines.shared.placement import IMAGE, WORK
from services import settings
from taxohash.runtime import flags
from taxohash.training.config import HasherConfig

_DESCRIPTION = """Print a TrainJob of Kubeflow Trainer, for `kubectl create -f -`: it trains on several nodes what the step `train` of the pipeline
would train, into the same folder, so that a run that is submitted afterwards with the same options finds it done. The data version has to be
in the claim already: in the folder --data, or where an earlier run has pulled it.
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "trainjob", help="train on several nodes, before a run", description=_DESCRIPTION
    )
    parser.add_argument("--dataset-md5", metavar="MD5", required=True, help="the data version")
    parser.add_argument("--data", default="", help="folder that holds it in the pods, such as /work/data")
    parser.add_argument("--nodes", type=int, default=2, help="pods that train together")
    parser.add_argument("--image", default=settings.IMAGE.of() or IMAGE, help="in which they run")
    parser.add_argument("--placement", type=Path, metavar="FILE", help="JSON file on how pods are placed")
    flags.add_flags(parser, HasherConfig)


def run(given: argparse.Namespace) -> int:
    import yaml

    from pipelines.retrain.steps import run_folder
    from pipelines.shared.trainjob import trainjob
    from pipelines.shared.versions.remote import check_version
    from pipelines.steps.versions import VERSIONS
    from taxohash.errors import TaxohashError

    if not 1 <= given.nodes <= 1000:
        raise TaxohashError(f"--nodes {given.nodes}: give a whole number from 1 to 1000")
    check_version(given.dataset_md5)
    config = flags.chosen(HasherConfig, vars(given)).completed()
    data = given.data or f"{WORK}/{VERSIONS}/{given.dataset_md5.removesuffix('.dir')}"
    folder = str(run_folder(WORK, given.dataset_md5, config))
    made = trainjob(config, data, folder, given.nodes, placement_of(given.placement), given.image)
    print(yaml.safe_dump(made, sort_keys=False), end="")
    return 0
