"""What came of a scene, as JSON holds it."""

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from taxohash.runtime.provenance import revision
from tests.cluster.answers import Searches
from tests.cluster.node import Node


@dataclass(frozen=True)
class Told:
    """What came of a scene.

    Attributes:
        what: happened, in one line.
        searches: of the load meanwhile; None where nothing was searched.
        stale: seconds for which the generation before answered after another was published; None where none was.
        written: items whose write was acknowledged meanwhile, or that there were before; None where that is not looked at.
        lost: of those, how many are not there afterwards.
        seconds: what took how long.
        notes: what else is worth knowing.
    """

    what: str
    searches: Searches | None = None
    stale: float | None = None
    written: int | None = None
    lost: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def bad(self) -> list[str]:
        """What may never be."""
        found = []
        if self.searches and self.searches.wrong:
            found.append(f"{self.searches.wrong} answers are not those of the generation that they name")
        if self.lost:
            found.append(f"{self.lost} items are lost")
        return found


def record(node: Node, scenes: Iterable[tuple[str, Told]]) -> dict[str, Any]:
    """All scenes, and of what they were told."""
    (own,) = json.loads(node.kubectl("get", "nodes", "-o", "json").stdout)["items"]
    info = own["status"]["nodeInfo"]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "revision": revision(),
        "kubernetes": info["kubeletVersion"].removeprefix("v"),
        "runtime": info["containerRuntimeVersion"],
        "kernel": info["kernelVersion"],
        "cores": int(own["status"]["capacity"]["cpu"]),
        "images": [name for name in node.images() if "@" not in name],
        "scenes": {name: asdict(told) for name, told in scenes},
    }
