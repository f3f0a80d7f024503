"""In place of the process that runs a pipeline by kfp.local: `python -m tests.support.fake_kfp FILE`, as the data say.

The parameter `remote` is a list of what it does, in JSON: ["tell", step, kind, reason], ["note", name, facts], ["print", text],
["sleep"], ["until", path] (it fails where nothing is there), ["exit", code].
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from pipelines.shared.events import tell
from pipelines.shared.record import Record


def main(file: Path) -> int:
    asked = json.loads(file.read_text())["parameters"]
    record = Record(asked["work"], asked["run"])
    for action in json.loads(asked["remote"]):
        match action:
            case ["tell", *event]:
                tell(*event)
            case ["note", name, facts]:
                record.note(name, **facts)
            case ["print", text]:
                print(text, flush=True)
            case ["until", path]:
                if not Path(path).exists():
                    return 1
            case ["sleep"]:
                time.sleep(600)
            case ["exit", code]:
                return int(code)
    return 0


def actions(*some: list[Any]) -> str:
    """The parameter."""
    return json.dumps(some)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
