"""`python -m pipelines.demo`."""

import sys

from pipelines.demo.main import main

sys.exit(main())
