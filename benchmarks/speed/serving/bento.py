"""A bare route as a service of BentoML, for `bentoml serve`."""

import signal

import bentoml

from benchmarks.speed.serving.bare import create
from services.processes import end_with_parent

app = create()


@bentoml.asgi_app(app, path="/")
@bentoml.service(name="bare", workers=1, metrics={"enabled": False}, logging={"access": {"enabled": False}})
class Bare:
    """A bare route."""

    def __init__(self) -> None:
        end_with_parent(signal.SIGKILL)  # BentoML leaves its workers behind when it is killed
