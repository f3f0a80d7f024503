"""`taxohash pipeline submit`: a pipeline on Kubeflow."""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.cli.places import add_kubeflow, kubeflow
from pipelines.cli.run import say, show
from pipelines.runners.parameters import add_arguments, of_data, parameters
from pipelines.runners.termination import Terminated, terminable
from pipelines.shared.placement import Placement
from services import settings
from services.runs import EXIT_CODES, Verdict
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import read_json
from taxohash.runtime.configuration import read

_DESCRIPTION = """Run a pipeline on Kubeflow, and follow it to its end. A run has a name: repeated with it, the command follows the run
that is there and starts none. Ctrl-C stops following, and the run goes on; SIGTERM, as of a supervisor, ends the run too.
"""


def add(commands: Any) -> None:
    parser = commands.add_parser("submit", help="run a pipeline on Kubeflow", description=_DESCRIPTION)
    parser.add_argument("--dataset-md5", metavar="MD5", help="the data version itself, instead of --revision")
    parser.add_argument(
        "--data", default="", help="folder that holds it in the pods, such as /work/data, instead of --remote"
    )
    parser.add_argument(
        "--image",
        default=settings.IMAGE.of() or "",
        help=f"in which the steps run, best by its digest, instead of {settings.IMAGE.name}",
    )
    parser.add_argument("--placement", type=Path, metavar="FILE", help="JSON file on how pods are placed")
    parser.add_argument("--service-account", help="of the pods, instead of the placement's")
    parser.add_argument("--claim", help="where their work lies, instead of the placement's")
    parser.add_argument(
        "--settings", metavar="CONFIGMAP", help="with their variables, instead of the placement's"
    )
    parser.add_argument("--detach", action="store_true", help="do not follow it")
    add_kubeflow(parser)
    add_arguments(parser)


def run(given: argparse.Namespace) -> int:
    asked = parameters(given) | (_data(given) if of_data(given) else {})
    placement = named(placement_of(given.placement), given)
    if given.image:
        asked["image"] = given.image
    there = kubeflow(given)
    from pipelines import compiled
    from pipelines.runners.kubeflow.ending import cancelled, outcome_of
    from pipelines.runners.kubeflow.following import follow

    name = asked["run"]
    try:
        with terminable(), tempfile.TemporaryDirectory() as scratch:
            package = compiled.package(given.pipeline)
            if replace(placement, service_account=Placement().service_account) != Placement():
                package = compiled.write_package(given.pipeline, Path(scratch) / package.name, placement)
            run_id = there.start(package, name, asked, placement.service_account)
            say(f"run {name}: {there.address(run_id)}")
            if given.detach:
                return 0
            ended = follow(there, run_id, say)
    except Terminated:  # by a supervisor, which means the run
        outcome = cancelled(there, there.run(there.find(name)))
    except KeyboardInterrupt:
        say(
            f"run {name} goes on: end it by `taxohash pipeline cancel {name}`, or follow it by `submit --run {name}`"
        )
        return EXIT_CODES[Verdict.INTERRUPTED]
    else:
        outcome = outcome_of(there, ended)
    show(outcome, given.json)
    return EXIT_CODES[outcome.verdict]


def _data(given: argparse.Namespace) -> dict[str, str]:
    """The data version, resolved here: pods need no git."""
    if bool(given.dataset_md5) == bool(given.revision):
        raise TaxohashError("the data are named by --revision or --dataset-md5: give one of the two")
    if bool(given.data) == bool(given.remote):
        raise TaxohashError(
            "the data come from --remote, such as s3://bucket/prefix, or lie in --data, a folder of the pods: give one of the two"
        )
    from pipelines.shared import versions
    from pipelines.shared.versions.remote import check_version

    md5 = given.dataset_md5 or versions.resolve(given.repository, given.revision)
    check_version(md5)
    return {"dataset_md5": md5, "data": given.data, "remote": given.remote}


def placement_of(file: Path | None) -> Placement:
    return read(Placement, read_json(file, "give a file with a placement")) if file else Placement()


def named(placement: Placement, given: argparse.Namespace) -> Placement:
    """A placement with the names that are told by themselves, as an overlay has them where all names got a prefix.

    Raises:
        TaxohashError: a ConfigMap is named, and the placement has none or several.
    """
    if account := given.service_account:
        placement = replace(placement, service_account=account)
    if claim := given.claim:
        placement = replace(placement, claim=claim)
    if given.settings:
        if len(placement.settings) != 1:
            raise TaxohashError(
                f"--settings {given.settings}: the placement names {len(placement.settings)} ConfigMaps, so name it there"
            )
        placement = replace(placement, settings=(replace(placement.settings[0], name=given.settings),))
    return placement
