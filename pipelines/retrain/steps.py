"""What the steps do that only the retraining pipeline has, see pipelines.steps."""

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.shared.step import step
from pipelines.steps.champion import DATABASE, QUERIES
from taxohash.datasets import Dataset
from taxohash.datasets.splits import indexed_splits, listed, refuse_canary
from taxohash.evaluation.report.read import PAGE, queries_of, read_report
from taxohash.release.gate import Policy
from taxohash.runtime.alone import alone
from taxohash.runtime.atomic import write_json, write_text
from taxohash.runtime.configuration import plain
from taxohash.runtime.progress import announce

if TYPE_CHECKING:
    from taxohash.training.config import HasherConfig


@step("check-config")
def check_config(config: str, policy: str) -> str:
    """Refuse a configuration that cannot be trained, or a policy that is none; else the configuration's canonical form with every
    default written out.

    Of equal configurations all later steps get the same text, and so the same answer from the cache.
    """
    from taxohash.runtime.configuration import canonical, parse
    from taxohash.training.config import HasherConfig

    parse(Policy, policy)
    return canonical(parse(HasherConfig, config).completed())


@step("check-ahead")
def check_ahead(data: str, splits: str, collection: str, generations: str) -> None:
    """Refuse now what a step after the training would refuse."""
    from pipelines.shared.preflight import preflight

    dataset = Dataset.open(data)
    indexed = indexed_splits(dataset, listed(splits))
    preflight(dataset, DATABASE, QUERIES, indexed, collection, Path(generations))


@step("train")
def train_hasher(data: str, work: str, config: str, out: str) -> None:
    """Train below `work`, where an interrupted attempt is continued, and copy the finished run to `out`.

    `config` is what `check_config` returned.
    """
    from taxohash.runtime.configuration import parse
    from taxohash.training.config import HasherConfig
    from taxohash.training.run import train

    hasher = parse(HasherConfig, config).completed()  # what is refused leaves nothing
    folder = run_folder(work, Dataset.open(data).md5(), hasher)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f".{folder.name}.lock")
    with alone(lock, f"another run trains {folder.name}: waiting for it"):  # and then finds what it made
        run = train(data, folder, hasher)
    shutil.copytree(run.folder, out, dirs_exist_ok=True)


def run_folder(work: str, dataset_md5: str, hasher: "HasherConfig") -> Path:
    """Where a training with this configuration lies below `work`: the same for every attempt."""
    from taxohash.runtime.configuration import canonical

    key = hashlib.sha256(f"{dataset_md5} {canonical(hasher)}".encode()).hexdigest()
    return Path(work) / "runs" / f"{hasher.objective.name}-{hasher.bits}-{key[:12]}"


@step("evaluate")
def evaluate_hasher(run: str, data: str, out: str, page: str) -> dict[str, float]:
    """Evaluate a copy of the run, with its report.html, which goes to `page` as well, and measure what it must beat on the same
    queries. The headline metrics.
    """
    from taxohash.evaluation.baseline import measure_yardsticks
    from taxohash.evaluation.run import evaluate_run

    shutil.copytree(run, out, dirs_exist_ok=True)
    report = evaluate_run(out, data, queries=QUERIES)
    measure_yardsticks(out, data)
    shutil.copyfile(Path(out) / PAGE, page)
    return report.headline


@step("export")
def export_hasher(run: str, data: str, out: str) -> None:
    """Write the run's hasher, without codes, into `out`."""
    from taxohash.release.draft import draft_of_run
    from taxohash.training.run import Run

    made = Run.open(run)
    draft_of_run(made, made.dataset(data), out)


@step("gate")
def gate_hasher(
    challenger: str,
    draft: str,
    champion: str,
    champion_id: str,
    data: str,
    dataset_md5: str,
    generations: str,
    policy: str,
    out: str,
    judged: str,
) -> None:
    """Judge an evaluated challenger against the champion, where there is one; the judgement as JSON into `out`, and at the top of the
    challenger's report in the folder `judged`.
    """
    from taxohash.release.gate import judge
    from taxohash.release.gate.measure import measure
    from taxohash.release.gate.page import judged as with_judgement
    from taxohash.runtime.configuration import parse

    refuse_canary(queries_of(read_report(challenger)), "asked by the gate")
    before = (champion, Path(generations) / champion_id) if champion_id else None
    judgement = judge(measure(challenger, draft, before, data, dataset_md5), parse(Policy, policy))
    for one in judgement.findings:
        announce(f"{one.rule}: {one.verdict}: {one.reason}")
    report = (Path(challenger) / PAGE).read_text(encoding="utf-8")
    Path(judged).mkdir(parents=True, exist_ok=True)
    write_text(Path(judged) / PAGE, with_judgement(report, judgement))
    write_json(Path(out), plain(judgement))
