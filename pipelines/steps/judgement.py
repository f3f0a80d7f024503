"""What a generation was judged to be, in a run's record: it decides whether anything is published."""

from pathlib import Path
from typing import Literal

from pipelines.shared.record import Record
from pipelines.shared.step import step
from services.runs import Compared
from taxohash.runtime.atomic import read_json
from taxohash.runtime.configuration import Series, configuration, plain, read
from taxohash.runtime.progress import announce


@configuration
class Judgement:
    """What a pipeline's judge says.

    Attributes:
        verdict: whether the generation passes, awaits a person's approval, or is refused.
        reason: one sentence with the numbers that decided.
        against: what it was compared with: `champion` or `floor`.
        compared: metric by metric.
    """

    verdict: Literal["passes", "awaits", "refused"]
    reason: str
    against: str = ""
    compared: Series[Compared] = ()


@step("decide")
def decide(judgement: str, report: str, work: str, run: str) -> Judgement:
    """Note a judgement, which may be that of an earlier run with the same inputs, for this run."""
    found = read(Judgement, read_json(Path(judgement), "run the pipeline again"))
    Record(work, run).note("judgement", report=report, **plain(found))
    announce(f"report: {report}")
    announce(f"{found.verdict}: {found.reason}")
    return found
