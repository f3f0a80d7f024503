"""An origin of a generation, as a run notes it."""

from services.lineage import Made, Origin
from services.lineage.origin import Cost
from taxohash.generation.manifest import Generation


def origin_of_run(generation: Generation, champion: str = "", run: str = "nightly-12") -> Origin:
    """Of a generation that such a run has trained."""
    return Origin(
        run=run,
        pipeline="retrain",
        begun=1_764_000_000.0,
        made=Made.of(generation),
        image="taxohash/python-train:0.1.0",
        configuration='{"bits": 64, "training": {"epochs": 3}}',
        champion=champion,
        data_before="0" * 32 + ".dir" if champion else "",
        changes={"added": 1200, "removed": 0, "relabelled": 3} if champion else {},
        cost=Cost(files=5, bytes=30_879_334, new_files=2, new_bytes=1_234_567) if champion else None,
        files={"1" * 32: 5},
        against="champion" if champion else "floor",
        verdict="passes",
        reason="mAP 0.9 is not below 0.89",
        compared=({"metric": "mAP", "value": 0.9},),
        report="s3://bucket/evaluated/report.html",
        comparison="s3://bucket/shadow/comparison.html" if champion else "",
        place="s3://bucket/generations/x",
    )
