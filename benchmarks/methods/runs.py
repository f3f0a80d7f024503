"""Whole networks, trained and evaluated as `taxohash train` and `taxohash evaluate` do it."""

from pathlib import Path

from benchmarks.common.rows import Row
from taxohash.evaluation.run import evaluate_run, weighed
from taxohash.protocols import find_protocol
from taxohash.protocols.result import headline_names
from taxohash.runtime.progress import announce
from taxohash.training.run import Run


def evaluated(run: Run, data: Path, protocol: str) -> Row:
    """What the row of a finished run tells of it."""
    report = evaluate_run(run.folder, data, protocol)
    announce(f"{run.folder.name}: {report.headline}")
    return {
        "data_md5": run.config.dataset_md5,
        "protocol": report.protocol,
        "metrics": report.headline,
        "weighted": {short: report.weighted[full] for short, full in headline_names(report.weighted).items()},
        "weighted_queries": weighed(
            find_protocol(protocol), report.counts["queries"], report.counts["database"]
        ),
        "trained": run.provenance["commit"],
    }
