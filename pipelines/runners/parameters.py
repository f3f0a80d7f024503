"""What a command line asks a pipeline for: the parameters that `run` and `submit` have in common."""

import argparse
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.shared.record import run_name
from services import settings
from taxohash.drift.policy import Policy as DriftPolicy
from taxohash.errors import TaxohashError
from taxohash.release.gate import Policy as GatePolicy
from taxohash.release.reindexing import Policy as ReindexingPolicy
from taxohash.runtime import flags
from taxohash.runtime.configuration import canonical, flat, plain, read, replaced
from taxohash.training.config import HasherConfig

RETRAIN, REINDEX, DRIFT, SWEEP = "retrain", "reindex", "drift", "sweep"
POLICIES: dict[str, type[Any]] = {RETRAIN: GatePolicy, REINDEX: ReindexingPolicy, DRIFT: DriftPolicy}
PIPELINES = (*POLICIES, SWEEP)  # a sweep judges nothing
_POLICY = flags.Flag("policy", "", "NAME=VALUE", repeated=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a parser take what decides a run."""
    parser.add_argument(
        "pipeline",
        nargs="?",
        choices=PIPELINES,
        default=RETRAIN,
        help="retrain: a new hasher; reindex: new codes by the hasher that is served; drift: is what it is asked still what it was measured on; "
        "sweep: hyper-parameters for a new hasher",
    )
    parser.add_argument("--revision", help="git revision whose data.dvc names the data, instead of --data")
    parser.add_argument("--repository", default=".", help="git repository of --revision: a folder or a URL")
    parser.add_argument(
        "--remote", default="", help="where DVC pushed the data of --revision: a folder or s3://bucket/prefix"
    )
    parser.add_argument("--collection", default=settings.COLLECTION.of(), help="of the code store")
    parser.add_argument(
        "--splits",
        default="",
        help="splits that can be found, such as train,test; all but canary if left out",
    )
    parser.add_argument("--shards", type=int, default=1, help="parts in which the data are encoded")
    parser.add_argument("--run", default="", help="name of the run; repeated, the run is taken up again")
    parser.add_argument("--policy-file", type=Path, metavar="FILE", help="JSON file with the judge's policy")
    fields = ", ".join(dict.fromkeys(name for kind in POLICIES.values() for name in flat(plain(kind()))))
    parser.add_argument(
        "--policy", action="append", metavar="NAME=VALUE", help=f"a field of that policy, repeated: {fields}"
    )
    parser.add_argument(
        "--search",
        action="append",
        metavar="PATH=VALUES",
        help="of a sweep, repeated: what is tried, PATH=LOW..HIGH, PATH=LOW..HIGH:log or PATH=ONE,OTHER; learning rate and weight decay if "
        "left out",
    )
    parser.add_argument("--trials", type=int, help="of a sweep: how many; 20 if left out")
    parser.add_argument(
        "--metric",
        help="of a sweep: by which trials are measured, mAP, mAHP, nDCG or headline, the mean of all, if left out",
    )
    parser.add_argument("--sweep-seed", type=int, help="of a sweep: of what is tried")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON, as the last line")
    flags.add_flags(parser, HasherConfig)


def parameters(given: argparse.Namespace) -> dict[str, Any]:
    """The pipeline's parameters that do not depend on where it runs, and its name.

    Raises:
        TaxohashError: what cannot be.
    """
    found = {
        "run": run_name(given.run or new_name(given.pipeline)),
        "collection": given.collection,
    }
    return found | _policy(given) | _encoding(given) | _configuration(given) | _sweep(given)


def of_data(given: argparse.Namespace) -> bool:
    """Whether the pipeline is about a data version.

    Raises:
        TaxohashError: one is named all the same.
    """
    if given.pipeline != DRIFT:
        return True
    for name in ("data", "revision", "remote", "dataset_md5"):
        if getattr(given, name, None):
            raise TaxohashError(
                f"--{name.replace('_', '-')} names data, and {DRIFT} looks at what is served: leave it out"
            )
    return False


def new_name(pipeline: str) -> str:
    """Of a run that begins now, such as retrain-20261126-120000-1f3a."""
    return f"{pipeline}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def _encoding(given: argparse.Namespace) -> dict[str, Any]:
    """How a data version is encoded."""
    if given.pipeline in (DRIFT, SWEEP):
        for name, default in (("splits", ""), ("shards", 1)):
            if getattr(given, name) != default:
                raise TaxohashError(
                    f"--{name} is of an encoding, and {given.pipeline} encodes nothing: leave it out"
                )
        return {}
    from taxohash.release.shards import Shard  # with all that reads data sets and hashers

    return {"splits": given.splits, "shards": Shard(1, given.shards).count}


def _configuration(given: argparse.Namespace) -> dict[str, str]:
    if given.pipeline in (RETRAIN, SWEEP):
        return {"config": canonical(flags.chosen(HasherConfig, vars(given)))}
    for flag in flags.flags(HasherConfig):
        if getattr(given, flag.name) is not None:
            raise TaxohashError(
                f"{flag.written} is of a training, and {given.pipeline} trains nothing: leave it out"
            )
    return {}


def _sweep(given: argparse.Namespace) -> dict[str, Any]:
    """What is tried, and how often."""
    names = ("search", "trials", "metric", "sweep_seed")
    if given.pipeline != SWEEP:
        for name in names:
            if getattr(given, name) is not None:
                raise TaxohashError(
                    f"--{name.replace('_', '-')} is of a sweep, and {given.pipeline} tries nothing: leave it out"
                )
        return {}
    asked = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    if "sweep_seed" in asked:
        asked["seed"] = asked.pop("sweep_seed")
    from pipelines.sweep.steps import MOST, ROUNDS
    from taxohash.sweep.run import number_of_trials, planned

    if "trials" in asked:
        number_of_trials(asked["trials"], ROUNDS, MOST)
    planned(
        flags.chosen(HasherConfig, vars(given)), **{k: v for k, v in asked.items() if k != "trials"}
    )  # what cannot be is refused here
    return asked


def _policy(given: argparse.Namespace) -> dict[str, str]:
    """Of who judges, where anybody does."""
    if given.pipeline not in POLICIES:
        for name in ("policy", "policy_file"):
            if getattr(given, name) is not None:
                raise TaxohashError(
                    f"--{name.replace('_', '-')} is of a judge, and {given.pipeline} judges nothing: leave it out"
                )
        return {}
    from taxohash.runtime.atomic import read_json

    kind = POLICIES[given.pipeline]
    file = given.policy_file
    base = read(kind, read_json(file, "give a file with a policy")) if file else kind()
    changed: Mapping[str, Any] = flags.assignments(_POLICY, given.policy or ())
    return {"policy": canonical(replaced(base, changed))}
