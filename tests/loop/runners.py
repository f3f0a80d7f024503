"""What the trigger starts in the loop: the pipelines, or their stand-in."""

import sys

from tests.loop.world import Runner

# A hasher of pairs: one of classes gives pictures of a new kind the very codes of classes that it knows, and none is far.
_OPTIONS = ("--objective", "shpdh", "--bits", "32", "--epochs", "20", "--network", "small-resnet")
THOROUGH = Runner((sys.executable, "-m", "pipelines.cli.main", "run"), _OPTIONS, 600.0)
QUICK = Runner((sys.executable, "-m", "tests.loop.quick", "run"), (), 120.0)
