"""Alertmanager's webhook."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services import metrics
from services.trigger import decide
from services.trigger.alerts import alerts_of
from services.trigger.endpoint import Endpoint, body_of
from services.trigger.records import Kind, State
from services.trigger.service import service_of
from services.trigger.view import told


async def notify(request: Request) -> Response:
    """Alertmanager's webhook, version 4: alerts that fire are reasons for a retraining, or for the run that their label `pipeline` names, those resolved are reasons no more; what follows of them."""
    service = service_of(request)
    keeper = service.keeper
    alerts = alerts_of(await body_of(request), service.settings.collection, keeper.now)

    def step(state: State) -> State:
        for pipeline, reason in alerts.firing:
            state = decide.asked(state, pipeline, reason)
        for key in alerts.resolved:
            state = decide.resolved(state, key)
        return state

    state = await asyncio.to_thread(keeper.change, step)
    metrics.TRIGGER_REASONS.labels(Kind.ALERT.value).inc(len(alerts.firing))
    shown = told(state, keeper.policy, keeper.now)
    return JSONResponse(
        {
            "firing": len(alerts.firing),
            "resolved": len(alerts.resolved),
            "others": alerts.others,
            "pending": [{**pending, "reasons": len(pending["reasons"])} for pending in shown["pending"]],
            "running": state.running.name if state.running else None,
        }
    )


ENDPOINTS = [Endpoint("POST", "/v1/alerts", notify, "alerts", "token")]
