"""The front door for programs: a data set, a run, a generation, codes, each by one call.

Every function is what the command of its name does; what is imported is imported when one is called.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from taxohash.errors import TaxohashError
from taxohash.runtime.requirements import remedy

if TYPE_CHECKING:
    from taxohash.datasets import Dataset
    from taxohash.generation.hasher import Hasher
    from taxohash.protocols import Report
    from taxohash.training.config import HasherConfig
    from taxohash.training.run import Run

P = ParamSpec("P")
R = TypeVar("R")


def _told(function: Callable[P, R]) -> Callable[P, R]:
    """Say which extra brings what is missing."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except ModuleNotFoundError as error:
            if (text := remedy(error)) is None:
                raise
            raise TaxohashError(text) from None

    return call


@_told
def prepare(
    out: str | Path, source: str | Path | None = None, name: str = "folder", **options: Any
) -> "Dataset":
    """Write the data set folder `out`: of a tree of pictures, whose directories are the taxonomy, or of a named set.

    Args:
        options: of a tree, such as `test_share=0.1`; see `datasets.named.image_tree.TreeOptions`.

    Raises:
        TaxohashError: see `datasets.named.prepare`.
    """
    from taxohash.datasets import named

    return named.prepare(name, _folder(out), None if source is None else str(source), **options)


@_told
def train(
    data: "str | Path | Dataset",
    out: str | Path,
    config: "HasherConfig | Mapping[str, Any] | None" = None,
    **fields: Any,
) -> "Run":
    """Train a hasher into the folder `out`; repeated, it goes on where it was interrupted.

    Args:
        data: a data set, or its folder.
        config: what decides the hasher, or its fields as JSON has them; what is not given has its default.
        fields: any of its fields by the name of its flag, such as `objective="treecode", bits=64, lr=0.05`.

    Raises:
        TaxohashError: an unknown field, or see `training.run.train`.
    """
    from taxohash.runtime.configuration import read
    from taxohash.runtime.flags import named
    from taxohash.training import run
    from taxohash.training.config import HasherConfig

    start = config if isinstance(config, HasherConfig) else read(HasherConfig, config or {})
    return run.train(_folder(data), _folder(out), named(start, fields))


@_told
def evaluate(
    run: "str | Path | Run",
    data: "str | Path | Dataset | None" = None,
    protocol: str | None = None,
    queries: str = "test",
    taxonomy: str | Path | None = None,
) -> "Report":
    """Rank the training split for every query of another; report.json and report.html in the run's folder.

    Args:
        run: a finished run, or its folder.
        data: its data set, if that has moved.
        protocol: `hierarchical` if none is named, or `multilabel` for sets of labels.
        queries: the split whose images are the queries.
        taxonomy: a taxonomy.json that grades the answers in place of the data set's own.

    Raises:
        TaxohashError: see `evaluation.run.evaluate_run`.
    """
    from taxohash.evaluation.run import evaluate_run

    graded_by = None if taxonomy is None else _folder(taxonomy)
    return evaluate_run(_folder(run), None if data is None else _folder(data), protocol, queries, graded_by)


@_told
def export(
    run: "str | Path | Run",
    out: str | Path = "generations",
    data: "str | Path | Dataset | None" = None,
    splits: str | Sequence[str] = (),
) -> Path:
    """Make a generation of an evaluated run; its folder below `out`.

    Args:
        splits: whose images can be found, such as `"train,test"` or `["train", "test"]`; all but `canary` if none
            is named.

    Raises:
        TaxohashError: see `release.export.export`.
    """
    from taxohash.datasets.splits import listed
    from taxohash.release.export import export as make

    named = listed(splits) if isinstance(splits, str) else splits
    return make(_folder(run), _folder(out), None if data is None else _folder(data), named)


@_told
def load_generation(folder: str | Path, threads: int = 1) -> "Hasher":
    """The hasher of a generation, and the codes it made. Needs no torch.

    Raises:
        TaxohashError: see `generation.hasher.Hasher`.
    """
    from taxohash.generation.hasher import Hasher

    return Hasher(_folder(folder), threads)


def _folder(thing: Any) -> Path:
    """Where a data set or a run lies, or the path itself."""
    path = getattr(thing, "folder", thing)
    if not isinstance(path, str | Path) or "\0" in str(path):
        raise TaxohashError(f"{thing!r} is no path: give the path of a file or folder")
    return Path(path)
