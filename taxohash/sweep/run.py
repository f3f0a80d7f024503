"""The sweep: one trial after the other, each a training and an evaluation on held-out pictures. Interrupted, it goes on.

OUT/sweep.json      what is searched, of which data
OUT/data/           the data without a split `val`: those learned from, and those held out
OUT/features/       of a frozen backbone, for all trials
OUT/trials/NNN/     run/ and, when it is over, trial.json
OUT/best.json       the configuration of the best, for `taxohash train --config`
OUT/sweep.html      a page of the trials
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from taxohash.datasets import Dataset
from taxohash.datasets.layout import outside
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import read_json, write_json
from taxohash.runtime.configuration import Seed, configuration, plain, read, replaced
from taxohash.runtime.progress import announce
from taxohash.runtime.schema_words import shown
from taxohash.sweep.held_out import held_out
from taxohash.sweep.space import STANDARD, space_of
from taxohash.sweep.trials import Trial, best, score_of, suggested
from taxohash.training.config import HasherConfig

SWEEP, BEST, PAGE = "sweep.json", "best.json", "sweep.html"
HEADLINE = "headline"
METRICS = (HEADLINE, "mAP", "mAHP", "nDCG")
MOST = 10_000


@configuration
class Sweep:
    """What a sweep is of.

    Attributes:
        dataset_md5: the data version.
        search: texts of what is tried, see `space_of`.
        config: what is not searched.
        metric: of the held-out pictures, that trials are measured by; `headline` is the mean of all headline metrics.
        seed: of what is suggested.
    """

    dataset_md5: str
    search: list[str]
    config: HasherConfig = field(default_factory=HasherConfig)
    metric: str = HEADLINE
    seed: Seed = 0


def sweep(
    data: str | Path,
    out: str | Path,
    config: HasherConfig | None = None,
    search: Iterable[str] = (),
    trials: int = 20,
    metric: str = HEADLINE,
    seed: int = 0,
) -> Trial:
    """Try values of some fields of a configuration; the best trial. Repeated, it goes on where it was, also to more trials.

    What a trial is refused for, such as a gradient that is no number, is told, and the next begins.

    Raises:
        TaxohashError: bad data, configuration or search, `out` lies inside the data or holds another sweep, or no trial came to a score.
    """
    from taxohash.sweep.page import write_page

    if not 1 <= trials <= MOST:
        raise TaxohashError(f"trials = {trials}: give a whole number from 1 to {MOST:,}")
    if metric not in METRICS:
        raise TaxohashError(f"metric = {metric!r}: use one of {', '.join(METRICS)}")
    given = (config or HasherConfig()).completed()
    texts = list(search) or list(STANDARD)
    space = space_of(texts, given)
    dataset = Dataset.open(data)
    folder = outside(Path(out), dataset.folder)
    _claim(folder, Sweep(dataset_md5=dataset.md5(), search=texts, config=given, metric=metric, seed=seed))
    learned_from, split = held_out(dataset, folder / "data")
    announce(
        f"{trials} trials of {', '.join(space)}; measured by split {split}, {learned_from.count(split):,} pictures"
    )
    done: list[Trial] = []
    for number in range(trials):
        place = folder / "trials" / f"{number:03d}"
        if (trial := _over(place)) is None:
            values = suggested(space, done, number, seed)
            announce(f"trial {number + 1}/{trials}: {_told(values)}")
            trial = _tried(place, number, values, given, learned_from, split, metric)
            write_json(place / "trial.json", plain(trial))
            announce(trial.reason or f"{metric} {trial.score:.4f}, {trial.seconds:.0f} s")
        done.append(trial)
        if (top := best(done)) is not None:
            write_json(folder / BEST, plain(replaced(given, top.values)))
        write_page(
            folder / PAGE,
            space,
            done,
            metric,
            f"{dataset.taxonomy.name}, {given.objective.name}, {given.bits} bits",
        )
    if (top := best(done)) is None:
        raise TaxohashError(f"no trial came to a score, the last because {done[-1].reason}: search elsewhere")
    return top


def _tried(
    place: Path,
    number: int,
    values: dict[str, Any],
    given: HasherConfig,
    dataset: Dataset,
    split: str,
    metric: str,
) -> Trial:
    from taxohash.evaluation.run import evaluate_run
    from taxohash.training.run import FEATURES, train

    start = time.monotonic()
    run = place / "run"
    run.mkdir(parents=True, exist_ok=True)
    shared = place.parent.parent / FEATURES
    shared.mkdir(exist_ok=True)
    if not (run / FEATURES).exists():
        (run / FEATURES).symlink_to(Path("..", "..", "..", FEATURES))
    try:
        train(dataset.folder, run, replaced(given, values))
        headline = evaluate_run(run, dataset.folder, queries=split).headline
    except TaxohashError as error:
        return Trial(number=number, values=values, reason=str(error), seconds=time.monotonic() - start)
    return Trial(
        number=number,
        values=values,
        score=score_of(headline, metric),
        headline=headline,
        seconds=time.monotonic() - start,
    )


def _over(place: Path) -> Trial | None:
    file = place / "trial.json"
    return read(Trial, read_json(file, "remove it to try again")) if file.is_file() else None


def _claim(folder: Path, wanted: Sweep) -> None:
    """The folder is this sweep's from now on."""
    file = folder / SWEEP
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(file, plain(wanted))
        return
    recorded = read_json(file, "choose another --out")
    ours: Mapping[str, Any] = plain(wanted)
    for name in ours:
        theirs = recorded.get(name) if isinstance(recorded, Mapping) else None
        if ours[name] != theirs:
            raise TaxohashError(
                f"{folder} holds a sweep with {name} = {shown(theirs)}, not {shown(ours[name])}: choose another --out or remove it"
            )


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{path} = {value:.4g}" if isinstance(value, float) else f"{path} = {value}"
        for path, value in values.items()
    )
