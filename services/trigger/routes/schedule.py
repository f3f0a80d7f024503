"""The timer."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.settings import DURATION
from services.trigger import decide
from services.trigger.endpoint import Endpoint, object_of, pipeline_in, text_in
from services.trigger.records import Schedule
from services.trigger.schedule import next_due
from services.trigger.service import service_of
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import plain


async def show(request: Request) -> Response:
    """The timer: its text, when it is next due, and of which pipeline; null where there is none."""
    keeper = service_of(request).keeper
    return _told((await asyncio.to_thread(lambda: keeper.state)).schedule)


async def put(request: Request) -> Response:
    """Set the timer: {"every": "24h"} or {"cron": "0 3 * * *"}, in UTC, and the pipeline, retrain if left out. What it asks for is deduplicated and cooled down like all else."""
    keeper, sent = service_of(request).keeper, await object_of(request, "every", "cron", "pipeline")
    every, cron = text_in(sent, "every", ""), text_in(sent, "cron", "")
    if bool(every) is bool(cron):
        raise RefusedError(400, "parameter", "give either every, such as 24h, or cron, such as 0 3 * * *")
    try:
        text = f"every {int(DURATION.parse(every))}" if every else " ".join(cron.split())
        schedule = Schedule(text=text, due=next_due(text, keeper.now), pipeline=pipeline_in(sent))
    except TaxohashError as error:
        raise RefusedError(400, "parameter", str(error)) from None
    except ValueError:
        raise RefusedError(400, "parameter", f"every is {every[:40]!r}: give {DURATION.wanted}") from None
    return _told(
        (await asyncio.to_thread(keeper.change, lambda state: decide.scheduled(state, schedule))).schedule
    )


async def delete(request: Request) -> Response:
    """Have no timer."""
    keeper = service_of(request).keeper
    return _told(
        (await asyncio.to_thread(keeper.change, lambda state: decide.scheduled(state, None))).schedule
    )


def _told(schedule: Schedule | None) -> Response:
    return JSONResponse({"schedule": plain(schedule) if schedule else None})


ENDPOINTS = [
    Endpoint("GET", "/v1/schedule", show, "schedule", "token"),
    Endpoint("PUT", "/v1/schedule", put, "set_schedule", "token"),
    Endpoint("DELETE", "/v1/schedule", delete, "drop_schedule", "token"),
]
