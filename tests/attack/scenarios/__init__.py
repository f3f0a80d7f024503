"""What is done to the service, a kind of attack a file."""

from tests.attack.scenario import Scenario
from tests.attack.scenarios import (
    bombs,
    drain,
    frozen_store,
    half_headers,
    kill,
    memory,
    overload,
    requests,
    slow_bodies,
    soak,
    swap,
    uploads,
)

SCENARIOS: dict[str, Scenario] = {
    "uploads": uploads.SCENARIO,
    "requests": requests.SCENARIO,
    "bombs": bombs.SCENARIO,
    "memory": memory.SCENARIO,
    "slow-bodies": slow_bodies.SCENARIO,
    "half-headers": half_headers.SCENARIO,
    "frozen-store": frozen_store.SCENARIO,
    "kill": kill.SCENARIO,
    "drain": drain.SCENARIO,
    "overload": overload.SCENARIO,
    "swap": swap.SCENARIO,
    "soak": soak.SCENARIO,
}
