"""What a generation was judged to be, in a run's record: it decides whether anything is published."""

from pathlib import Path

from pipelines.shared.record import Record
from pipelines.shared.step import step
from taxohash.release.judging import Judgement
from taxohash.runtime.atomic import read_json
from taxohash.runtime.configuration import plain, read
from taxohash.runtime.progress import announce


@step("decide")
def decide(judgement: str, report: str, work: str, run: str) -> Judgement:
    """Note a judgement, which may be that of an earlier run with the same inputs, for this run."""
    found = read(Judgement, read_json(Path(judgement), "run the pipeline again"))
    Record(work, run).note("judgement", report=report, **plain(found))
    announce(f"report: {report}")
    announce(f"{found.verdict}: {found.reason}")
    return found
