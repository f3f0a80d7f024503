"""`python -m pipelines.compiled`: write the compiled pipelines anew."""

from pathlib import Path

from pipelines import compiled
from taxohash.runtime.flags import Parser

parser = Parser(prog="python -m pipelines.compiled", description=__doc__)
parser.add_argument("--out", type=Path, default=compiled.FOLDER, help="folder, which is there")
for file in compiled.write(parser.parse_args().out):
    print(file)
