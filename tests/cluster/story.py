"""What the scenes found, told, written down, and put into the documentation."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster import table
from tests.cluster.node import Node
from tests.cluster.record import Told, record
from tests.cluster.scenes import SCENES, fill
from tests.cluster.world import world


def names() -> list[str]:
    """Of all scenes, in their order."""
    return list(SCENES)


def tell(
    node: Node, report: Callable[[str], None], scenes: Sequence[str] = (), out: Path | None = None
) -> int:
    """Let scenes happen, all if none is named; 0 where nothing was lost or wrong, and all came to its end.

    Args:
        out: folder for cluster.json. Where all scenes came to their end, the documentation has the table and this file anew.
    """
    found: list[tuple[str, Told]] = []
    broken: list[str] = []
    with world(node, report) as all_of_it:
        found.append(("fill", fill(all_of_it)))
        for name in scenes or SCENES:
            report(f"scene {name}")
            try:
                found.append((name, SCENES[name](all_of_it)))
            except (AssertionError, subprocess.SubprocessError) as error:
                broken.append(f"{name}: {error}")
                report(broken[-1])
        told = record(node, found)
    broken += [f"{name}: {bad}" for name, scene in found for bad in scene.bad()]
    text = table.markdown(told)
    as_json = json.dumps(told, indent=1) + "\n"
    print(text)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / table.RECORD.name).write_text(as_json)
    if not scenes and not broken:
        table.put(text)
        table.RECORD.write_text(as_json)
    print("\n".join(broken))
    return 1 if broken else 0
