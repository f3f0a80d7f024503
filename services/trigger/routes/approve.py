"""The page on which a person approves a generation. Looking at it approves nothing: mail readers and chats open links too."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services import approval
from services.codestore import StoreUnavailableError
from services.trigger import decide
from services.trigger.access import refuse_other_sites
from services.trigger.candidate import Candidate
from services.trigger.endpoint import Endpoint, body_of
from services.trigger.page import page
from services.trigger.service import Service, service_of
from services.web.problems import NO_STORE
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError

_MOST_CHARACTERS = 200


Answer = Callable[[Request], Awaitable[Response]]


def for_people(answer: Answer) -> Answer:
    """What is refused is a page too for who asks for one, as browsers do; for others it is a problem, as everywhere."""

    @wraps(answer)
    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except (RefusedError, StoreUnavailableError) as error:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            refused = error if isinstance(error, RefusedError) else NO_STORE
            shown = page(str(refused), asks=refused.reason == "parameter")
            return HTMLResponse(shown, refused.status, refused.headers)

    return answered


@for_people
async def look(request: Request) -> Response:
    """A page that says what is to be approved, by a signed link. It approves nothing."""
    service, generation = service_of(request), _checked(request)
    found = await asyncio.to_thread(_candidate, service, generation)
    facts = found.facts(service.settings.collection)
    return HTMLResponse(page(found.said(), facts, found.compared, asks=found.is_open))


@for_people
async def approve(request: Request) -> Response:
    """Publish the generation of a signed link: a form with `who` and `why`."""
    refuse_other_sites(request.scope)
    service, generation = service_of(request), _checked(request)
    form = parse_qs((await body_of(request)).decode("utf-8", "replace"))
    who, why = (_line(form, name) for name in ("who", "why"))
    if not who:
        raise RefusedError(400, "parameter", "who is missing: say who approves, for the audit")
    await asyncio.to_thread(_publish, service, generation, who, why)
    facts = {"Generation": generation, "Collection": service.settings.collection}
    return HTMLResponse(page(f"Published by {who}.", facts, asks=False))


def _publish(service: Service, generation: str, who: str, why: str) -> None:
    champion = _candidate(service, generation).champion
    service.approver.approve(generation, who, why or "approved by a link", champion)
    service.keeper.change(lambda state: decide.approved(state, generation, who))


def _checked(request: Request) -> str:
    """The generation of a link that is in force."""
    settings, query = service_of(request).settings, request.query_params
    if not settings.approval_secret:
        raise RefusedError(404, "path", "there are no links to approve: set TAXOHASH_APPROVAL_SECRET")
    collection, generation, expires, signature = (
        query.get(name, "") for name in ("collection", "generation", "expires", "signature")
    )
    now = service_of(request).keeper.now
    try:
        approval.check(collection, generation, expires, signature, settings.approval_secret, now)
    except TaxohashError as error:
        raise RefusedError(403, "role", str(error)) from None
    if collection != settings.collection:
        raise RefusedError(
            404, "item", f"this trigger is of collection {settings.collection}: ask that of {collection}"
        )
    return generation


def _candidate(service: Service, generation: str) -> Candidate:
    return Candidate.of(generation, service.keeper.state, service.published())


def _line(form: dict[str, list[str]], name: str) -> str:
    text = "".join(form.get(name, [""])[:1]).strip()
    return text[:_MOST_CHARACTERS] if text.isprintable() else ""


ENDPOINTS = [
    Endpoint("GET", approval.PATH, look, "approval", "signed"),
    Endpoint("POST", approval.PATH, approve, "approve", "signed"),
]
