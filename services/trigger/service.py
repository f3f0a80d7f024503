"""What the routes work with, and the threads that it starts and ends."""

import asyncio
from collections.abc import Callable
from typing import cast

from starlette.requests import Request

from services.trigger.approve import Approver
from services.trigger.keeper import Keeper
from services.trigger.settings import Settings
from services.trigger.watch import Watch


class Service:
    """One trigger.

    Attributes:
        watch: what looks for new data; None where no repository was named.
        published: asks the code store for the id of the published generation, empty where there is none.
    """

    def __init__(
        self,
        settings: Settings,
        keeper: Keeper,
        watch: Watch | None,
        approver: Approver,
        published: Callable[[], str],
    ) -> None:
        self.settings, self.keeper, self.watch, self.approver = settings, keeper, watch, approver
        self.published = published

    def start(self) -> None:
        """Keep runs and look for data from now on."""
        self.keeper.start()
        if self.watch:
            self.watch.start()

    async def stop(self) -> None:
        """End what was started, the run under way too."""
        if self.watch:
            self.watch.stop()
        await asyncio.to_thread(self.keeper.stop)


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    return cast(Service, request.app.state.service)
