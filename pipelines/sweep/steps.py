"""What the steps do that only the sweep pipeline has, see pipelines.steps.

All attempts at a sweep share a folder of the claim, WORK/runs/sweep-BITS-KEY, laid out as `taxohash sweep` lays out its own: a trial that
was interrupted goes on there. What a later step makes of it travels by parameters, so that a cache answers for a trial by all it depends on.
"""

import hashlib
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.shared.record import Record
from pipelines.shared.step import step
from services.runs import Verdict
from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.runtime.alone import alone
from taxohash.runtime.atomic import write_json
from taxohash.runtime.configuration import canonical, flat, parse, plain, read
from taxohash.runtime.flags import meaning
from taxohash.runtime.progress import announce
from taxohash.sweep.run import TRIALS, Sweep, begun, chosen, number_of_trials, over, planned, tried, words
from taxohash.sweep.trials import Trial, rounds, suggested
from taxohash.training.config import HasherConfig

ROUNDS = 4  # one after the other; the trials of one side by side
MOST = 400  # trials, which travel from step to step as text


@step("check-sweep")
def check(dataset_md5: str, config: str, search: list[str], trials: int, metric: str, seed: int) -> str:
    """Refuse a sweep that cannot be; else all that it is of, as JSON."""
    number_of_trials(trials, ROUNDS, MOST)
    return canonical(planned(parse(HasherConfig, config), search, metric, seed, dataset_md5))


@step("hold-out")
def hold_out(work: str, run: str, data: str, plan: str) -> str:
    """Keep pictures of the training split apart, once for all trials; the split that these are measured by."""
    wanted = parse(Sweep, plan)
    Record(work, run).note("data", md5=wanted.dataset_md5)
    learned_from, split = _begun(work, data, wanted)
    announce(
        f"trials of {', '.join(wanted.space())}; measured by split {split}, {learned_from.count(split):,} pictures"
    )
    return split


@step("ask")
def ask(plan: str, before: str, told: list[str], trials: int, number: int) -> tuple[str, list[str]]:
    """The trials that are over, and those of a round, suggested by them: number and values of each, as JSON.

    Args:
        before: the trials that were over before the round before.
        told: what came of that round.
        number: of the round, from 0.
    """
    wanted, history = parse(Sweep, plan), _together(before, told)
    space = wanted.space()
    asked = [
        {"number": trial, "values": suggested(space, history, trial, wanted.seed)}
        for trial in rounds(trials, ROUNDS)[number]
    ]
    announce(f"round {number + 1} of {ROUNDS}: {len(asked)} trials, by {len(history)} that are over")
    return _text(history), [json.dumps(one, sort_keys=True) for one in asked]


@step("trial")
def trial(work: str, data: str, plan: str, asked: str) -> str:
    """What came of a trial, as JSON; a configuration that training refuses is told, too."""
    wanted, own = parse(Sweep, plan), json.loads(asked)
    number: int = own["number"]
    learned_from, split = _begun(work, data, wanted)
    # Of its values, too: of another number of trials the same number is another trial.
    name = f"{number:03d}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
    place = folder_of(work, wanted) / TRIALS / name
    place.parent.mkdir(exist_ok=True)
    with alone(place.with_name(f".{name}.lock"), f"another run makes trial {number + 1}: waiting for it"):
        found = over(place) or tried(place, number, own["values"], wanted, learned_from, split)
    return canonical(found)


@step("choose")
def choose(
    plan: str,
    before: str,
    told: list[str],
    data: str,
    work: str,
    run: str,
    best: str,
    page: str,
    address: str,
) -> str:
    """The flags by which `taxohash pipeline run retrain` trains the best trial's configuration.

    Args:
        best: file that gets that configuration.
        page: file that gets a page of all trials, which others find at `address`.
    """
    from taxohash.sweep.page import write_page  # draws

    wanted, trials = parse(Sweep, plan), _together(before, told)
    record = Record(work, run)
    write_page(Path(page), wanted.space(), trials, wanted.metric, wanted.title(Dataset.open(data)))
    record.note("judgement", report=address)
    announce(f"report: {address}")
    top = chosen(trials)
    configuration = wanted.with_values(top)
    write_json(Path(best), plain(configuration))
    flags = flags_of(configuration)
    reason = f"trial {top.number + 1} of {len(trials)} is best: {wanted.metric} {top.score:.4f} with {words(top.values)}"
    record.note("ended", verdict=Verdict.CHOSEN, reason=reason, flags=flags)
    announce(f"{Verdict.CHOSEN}: {reason}")
    return flags


def folder_of(work: str, wanted: Sweep) -> Path:
    """Where a sweep lies below `work`: the same for every attempt."""
    key = hashlib.sha256(canonical(wanted).encode()).hexdigest()
    return Path(work) / "runs" / f"sweep-{wanted.config.bits}-{key[:12]}"


def flags_of(config: HasherConfig) -> str:
    """A configuration as words of a command line: each field that has not its default."""
    standard = flat(plain(HasherConfig()))
    changed = {path: value for path, value in flat(plain(config)).items() if standard.get(path) != value}
    return shlex.join(
        word for path, value in changed.items() for word in ("--set", f"{path}={_written(value)}")
    )


def _written(value: Any) -> str:
    """The text that `meaning` reads as this value."""
    return value if isinstance(value, str) and meaning(value) == value else json.dumps(value)


def _begun(work: str, data: str, wanted: Sweep) -> tuple[Dataset, str]:
    folder, dataset = folder_of(work, wanted), Dataset.open(data)
    if (found := dataset.md5()) != wanted.dataset_md5:
        raise TaxohashError(
            f"data set {data} has md5 {found}, not {wanted.dataset_md5}: give the folder of that version"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with alone(folder.with_name(f".{folder.name}.lock"), "another run holds pictures out: waiting for it"):
        return begun(folder, wanted, dataset)


def _together(before: str, told: Sequence[str]) -> list[Trial]:
    """All trials that are over, by their numbers."""
    found = [*(read(Trial, one) for one in json.loads(before)), *(parse(Trial, one) for one in told)]
    return sorted(found, key=lambda one: one.number)


def _text(trials: Sequence[Trial]) -> str:
    return json.dumps([plain(one) for one in trials], sort_keys=True)
