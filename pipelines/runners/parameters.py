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

RETRAIN, REINDEX, DRIFT = "retrain", "reindex", "drift"
POLICIES: dict[str, type[Any]] = {RETRAIN: GatePolicy, REINDEX: ReindexingPolicy, DRIFT: DriftPolicy}
_POLICY = flags.Flag("policy", "", "NAME=VALUE", repeated=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a parser take what decides a run."""
    parser.add_argument(
        "pipeline",
        nargs="?",
        choices=[*POLICIES],
        default=RETRAIN,
        help="retrain: a new hasher; reindex: new codes by the hasher that is served; drift: is what it is asked still what it was measured on",
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
        "policy": canonical(_policy(given)),
    }
    return found | _encoding(given) | _configuration(given)


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
    if given.pipeline == DRIFT:
        for name, default in (("splits", ""), ("shards", 1)):
            if getattr(given, name) != default:
                raise TaxohashError(f"--{name} is of an encoding, and {DRIFT} encodes nothing: leave it out")
        return {}
    from taxohash.release.shards import Shard  # with all that reads data sets and hashers

    return {"splits": given.splits, "shards": Shard(1, given.shards).count}


def _configuration(given: argparse.Namespace) -> dict[str, str]:
    if given.pipeline == RETRAIN:
        return {"config": canonical(flags.chosen(HasherConfig, vars(given)))}
    for flag in flags.flags(HasherConfig):
        if getattr(given, flag.name) is not None:
            raise TaxohashError(
                f"{flag.written} is of a training, and {given.pipeline} trains nothing: leave it out"
            )
    return {}


def _policy(given: argparse.Namespace) -> Any:
    from taxohash.runtime.atomic import read_json

    kind = POLICIES[given.pipeline]
    file = given.policy_file
    base = read(kind, read_json(file, "give a file with a policy")) if file else kind()
    changed: Mapping[str, Any] = flags.assignments(_POLICY, given.policy or ())
    return replaced(base, changed)
