"""Runs: what is pending, under way and over; a person's own wish; and the end of a run."""

import asyncio
import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from services import metrics
from services.trigger import decide
from services.trigger.endpoint import Endpoint, object_of, pipeline_in, text_in
from services.trigger.records import Kind, Reason
from services.trigger.service import service_of
from services.trigger.view import told
from services.web.refused import RefusedError


async def show(request: Request) -> Response:
    """The newest data version, runs that are pending and what they wait for, the run under way, and those that ended with their outcomes."""
    keeper = service_of(request).keeper
    state = await asyncio.to_thread(lambda: keeper.state)
    return JSONResponse(told(state, keeper.policy, keeper.now))


async def ask(request: Request) -> Response:
    """A person asks for a run: {"pipeline", "who", "why", "id"}, all optional; it waits for nothing but the run under way. Sent again with its id, it is one."""
    keeper = service_of(request).keeper
    sent = await object_of(request, "pipeline", "who", "why", "id")
    pipeline = pipeline_in(sent)
    who, why = text_in(sent, "who", ""), text_in(sent, "why", "")
    key = text_in(sent, "id", "") or secrets.token_hex(8)
    text = f"{who or 'somebody'} asked" + (f": {why}" if why else "")
    reason = Reason(kind=Kind.PERSON, key=f"person {key}", text=text, time=keeper.now)
    state = await asyncio.to_thread(keeper.change, lambda state: decide.asked(state, pipeline, reason))
    metrics.TRIGGER_REASONS.labels(Kind.PERSON.value).inc()
    return JSONResponse(told(state, keeper.policy, keeper.now), 202)


async def cancel(request: Request) -> Response:
    """End the run under way, and do not try it again: {"who"}, optional."""
    keeper, name = service_of(request).keeper, request.path_params["name"]
    who = text_in(await object_of(request, "who"), "who", "") or "somebody"
    state = await asyncio.to_thread(keeper.change, lambda state: decide.cancelled(state, name, who))
    if state.running is None or state.running.name != name:
        raise RefusedError(404, "run", f"run {name[:80]!r} is not under way: GET /v1/runs tells which is")
    return JSONResponse(told(state, keeper.policy, keeper.now), 202)


async def log(request: Request) -> Response:
    """What a run has said on standard error, the last part of it."""
    service, name = service_of(request), request.path_params["name"]
    text = await asyncio.to_thread(service.keeper.log_of, name)
    if text is None:
        raise RefusedError(
            404, "run", f"run {name[:80]!r} has no log here: GET /v1/runs tells which runs there are"
        )
    return PlainTextResponse(text)


ENDPOINTS = [
    Endpoint("GET", "/v1/runs", show, "runs", "token"),
    Endpoint("POST", "/v1/runs", ask, "ask", "token"),
    Endpoint("POST", "/v1/runs/{name}/cancel", cancel, "cancel", "token"),
    Endpoint("GET", "/v1/runs/{name}/log", log, "log", "token"),
]
