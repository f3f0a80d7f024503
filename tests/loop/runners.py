"""What the trigger starts in the loop, the pipelines or their stand-in, and how fast time goes meanwhile."""

import sys

from tests.loop.alerts import ALERT, Pace
from tests.loop.world import Runner

# Random centres know no levels, so the gate finds coarse ones worse where there are more classes: who chooses them says by how much.
_POLICY = ("--policy", "tolerance_least=0.1", "--policy", "tolerance_most=0.1")
# On pictures as easy as these the usual objective gives those of a new kind the very codes of classes that it knows, and none is far.
_OPTIONS = ("--objective", "csq", "--bits", "32", "--epochs", "20", "--network", "small-resnet", *_POLICY)
# A minute is a second. But when it starts Prometheus looks for what to scrape after five, at any pace.
_STARTING = {"TaxohashAbsent": 15.0, "TaxohashTriggerAbsent": 15.0}
THOROUGH = Runner(
    (sys.executable, "-m", "pipelines.cli.main", "run"),
    _OPTIONS,
    600.0,
    Pace(60.0, 1.0, _STARTING),
    noise=120.0,
)
QUICK = Runner(
    (sys.executable, "-m", "tests.loop.quick", "run"),
    (),
    120.0,
    Pace(60.0, 1.0, {ALERT: 1.0} | _STARTING, notice=1.0),
    noise=1.0,
)
