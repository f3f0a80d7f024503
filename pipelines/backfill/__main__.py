"""`python -m pipelines.backfill`."""

import sys

from pipelines.backfill.main import main

sys.exit(main())
