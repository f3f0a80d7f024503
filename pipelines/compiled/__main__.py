"""`python -m pipelines.compiled`: write the compiled pipelines anew."""

from pipelines import compiled
from taxohash.runtime.flags import Parser

Parser(prog="python -m pipelines.compiled", description=__doc__).parse_args()
for file in compiled.write():
    print(file)
