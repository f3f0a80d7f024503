"""What happens to a system that is searched all the time, one scene a file, in the order in which they are told."""

from collections.abc import Callable, Mapping

from tests.cluster.record import Told
from tests.cluster.scenes.canary import canary
from tests.cluster.scenes.certificate import certificate
from tests.cluster.scenes.commands import commands
from tests.cluster.scenes.disk import disk
from tests.cluster.scenes.drain import drain
from tests.cluster.scenes.fill import fill
from tests.cluster.scenes.key import key
from tests.cluster.scenes.kill import kill
from tests.cluster.scenes.policies import policies
from tests.cluster.scenes.publish import publish, roll_back
from tests.cluster.scenes.restore import restore
from tests.cluster.scenes.rollout import rollout
from tests.cluster.scenes.scale import scale
from tests.cluster.scenes.start import start
from tests.cluster.world import World

SCENES: Mapping[str, Callable[[World], Told]] = {
    "publish": publish,
    "roll-back": roll_back,
    "start": start,
    "canary": canary,
    "rollout": rollout,
    "kill": kill,
    "drain": drain,
    "key": key,
    "certificate": certificate,
    "restore": restore,
    "disk": disk,
    "scale": scale,
    "policies": policies,
    "commands": commands,
}

__all__ = ["SCENES", "fill"]
