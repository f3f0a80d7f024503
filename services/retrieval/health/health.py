"""What is known of the health of one generation's retrieval while it is served."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from services import metrics
from services.retrieval.health.allowance import Allowance
from services.retrieval.health.entropy import Entropy
from services.retrieval.health.reference import Expected, node_labels
from services.retrieval.health.rounds import Rounds
from services.retrieval.health.tally import Tally
from services.retrieval.nearness import reach

if TYPE_CHECKING:
    from taxohash.generation.hasher import Hasher  # slow to import


class Health:
    """Of one generation.

    Attributes:
        generation: its id.
        bits: of a code.
        levels: names of those that are told, from the coarsest.
        nodes: values of the label of first nodes, in the order in which they are counted.
        reach: Hamming distance within which the nearest item is near, see `nearness`.
        tells_path, tells_unlike: whether its answers say so.
        expected: of the reference.
        tally: of what was asked.
        rounds: of its canaries.
        entropy: of the items' codes.
    """

    def __init__(self, hasher: "Hasher") -> None:
        """Nothing asked yet."""
        generation, taxonomy = hasher.generation, hasher.taxonomy
        self.generation, self.bits = generation.id, generation.bits
        self.levels = taxonomy.levels[: metrics.LEVEL.most]
        self.reach = reach(generation)
        self.tells_path = hasher.calibration is not None
        self.tells_unlike = bool(
            hasher.calibration and hasher.calibration.novelty and hasher.model.tells_novelty
        )
        self.expected = Expected.of(hasher)
        tops = [path[0] for path in taxonomy.class_paths(0)]
        self.nodes = node_labels(tops, self.expected.nodes)
        self.tally = Tally(self.bits, self.nodes, len(self.levels))
        self.rounds = Rounds(
            lambda: hasher.canaries, lambda picture: hasher.encode([picture]), taxonomy, self.bits
        )
        self.entropy = Entropy(self.bits)
        self._allowance = Allowance()

    def count(self, answer: dict[str, Any], least: Callable[[], int | None]) -> None:
        """Count the answer to a search by picture in all items, but of a picture that an item has.

        By weights the nearest item need not be among those that are told, and has to be looked for. For this there is an
        allowance; who comes while it is used up is not counted, whatever his answer is.

        Args:
            answer: see `schemas.search.Answer`; one without results is not counted.
            least: gives the Hamming distance of the nearest item.
        """
        if not answer["results"] or not self._allowance.is_left():
            return
        distance = answer["results"][0]["distance"]
        if distance and answer["ranking"] != "hamming":
            begun = time.thread_time()
            found = least()
            self._allowance.spend(time.thread_time() - begun)
            distance = distance if found is None else found
        self.tally.add(
            distance, bytes.fromhex(answer["code"]), answer.get("predicted", ()), answer.get("unlike", False)
        )
