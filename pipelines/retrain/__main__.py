"""`python -m pipelines.retrain`: renew pipelines/compiled/retrain.yaml."""

from pipelines.retrain.pipeline import compile_to
from taxohash.runtime.flags import Parser

Parser(prog="python -m pipelines.retrain", description=__doc__).parse_args()
print(compile_to())
