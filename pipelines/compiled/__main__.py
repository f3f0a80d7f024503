"""`python -m pipelines.compiled`: write the compiled pipelines anew."""

from pipelines.compiled import compile_to
from taxohash.runtime.flags import Parser

Parser(prog="python -m pipelines.compiled", description=__doc__).parse_args()
for file in compile_to():
    print(file)
