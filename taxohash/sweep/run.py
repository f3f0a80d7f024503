"""The sweep: one trial after the other, each a training and an evaluation on held-out pictures. Interrupted, it goes on.

OUT/sweep.json      what is searched, of which data
OUT/data/           the data without a split `val`: those learned from, and those held out
OUT/features/       of a frozen backbone, for all trials
OUT/trials/NNN/     run/ and, when it is over, trial.json
OUT/best.json       the configuration of the best, for `taxohash train --config`
OUT/sweep.html      a page of the trials
"""

import time
from collections.abc import Iterable, Mapping, Sequence
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
from taxohash.sweep.space import STANDARD, Space, space_of
from taxohash.sweep.trials import Trial, best, score_of, suggested
from taxohash.training.config import HasherConfig

SWEEP, BEST, PAGE = "sweep.json", "best.json", "sweep.html"
TRIALS, TRIAL = "trials", "trial.json"
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

    def space(self) -> Space:
        """What is tried."""
        return space_of(self.search, self.config)

    def with_values(self, trial: Trial) -> HasherConfig:
        """The whole configuration of a trial."""
        return replaced(self.config, trial.values)

    def title(self, dataset: Dataset) -> str:
        """Of its page."""
        return f"{dataset.taxonomy.name}, {self.config.objective.name}, {self.config.bits} bits"


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

    number_of_trials(trials)
    wanted = planned(config, search, metric, seed)
    dataset = Dataset.open(data)
    folder = outside(Path(out), dataset.folder)
    wanted = replaced(wanted, {"dataset_md5": dataset.md5()})
    space = wanted.space()
    learned_from, split = begun(folder, wanted, dataset)
    announce(
        f"{trials} trials of {', '.join(space)}; measured by split {split}, {learned_from.count(split):,} pictures"
    )
    done: list[Trial] = []
    for number in range(trials):
        place = folder / TRIALS / f"{number:03d}"
        trial = over(place) or tried(
            place, number, suggested(space, done, number, seed), wanted, learned_from, split
        )
        done.append(trial)
        if (top := best(done)) is not None:
            write_json(folder / BEST, plain(wanted.with_values(top)))
        write_page(folder / PAGE, space, done, metric, wanted.title(dataset))
    return chosen(done)


def number_of_trials(trials: int, fewest: int = 1, most: int = MOST) -> None:
    """Refuse a number that is none.

    Raises:
        TaxohashError: it is too small or too large.
    """
    if not fewest <= trials <= most:
        raise TaxohashError(f"trials = {trials}: give a whole number from {fewest} to {most:,}")


def planned(
    config: HasherConfig | None = None,
    search: Iterable[str] = (),
    metric: str = HEADLINE,
    seed: int = 0,
    dataset_md5: str = "",
) -> Sweep:
    """A sweep with all that is not given written out.

    Raises:
        TaxohashError: bad configuration, search or metric.
    """
    if metric not in METRICS:
        raise TaxohashError(f"metric = {metric!r}: use one of {', '.join(METRICS)}")
    given, texts = (config or HasherConfig()).completed(), list(search) or list(STANDARD)
    space_of(texts, given)
    return Sweep(dataset_md5=dataset_md5, search=texts, config=given, metric=metric, seed=seed)


def begun(folder: Path, wanted: Sweep, dataset: Dataset) -> tuple[Dataset, str]:
    """A folder that is this sweep's from now on; the data that its trials learn from and the split that they are measured by.

    Raises:
        TaxohashError: it holds another sweep, or as `held_out`.
    """
    _claim(folder, wanted)
    return held_out(dataset, folder / "data")


def chosen(done: Sequence[Trial]) -> Trial:
    """The best trial.

    Raises:
        TaxohashError: none came to a score.
    """
    if (top := best(done)) is None:
        raise TaxohashError(f"no trial came to a score, the last because {done[-1].reason}: search elsewhere")
    return top


def over(place: Path) -> Trial | None:
    """The trial that is over in a folder; None where none is."""
    file = place / TRIAL
    return read(Trial, read_json(file, "remove it to try again")) if file.is_file() else None


def tried(
    place: Path, number: int, values: dict[str, Any], wanted: Sweep, dataset: Dataset, split: str
) -> Trial:
    """Train and measure one trial in a folder SWEEP/trials/NAME, and keep it; what it is refused for is kept as well."""
    announce(f"trial {number + 1}: {words(values)}")
    trial = _tried(place, number, values, wanted.config, dataset, split, wanted.metric)
    write_json(place / TRIAL, plain(trial))
    announce(
        f"trial {number + 1}: {trial.reason or f'{wanted.metric} {trial.score:.4f}, {trial.seconds:.0f} s'}"
    )
    return trial


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


def words(values: Mapping[str, Any]) -> str:
    """Values of a trial, for people."""
    return ", ".join(
        f"{path} = {value:.4g}" if isinstance(value, float) else f"{path} = {value}"
        for path, value in values.items()
    )
