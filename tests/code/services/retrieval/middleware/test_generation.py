"""Every answer names its generation: the one that its request took, whatever is served when it is sent."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from services.retrieval.answering import answer_with, answered_by
from services.retrieval.middleware.generation import Generation
from tests.support.asgi import asked, scope_of


def application(taken: str, served: list[str]) -> ASGIApp:
    """Takes a generation, if any; another is served before it answers."""

    async def answer(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        Request(scope, receive)
        if taken:
            answer_with(taken)
        served[:] = [""] if served == [""] else ["another"]
        await asyncio.sleep(0)
        await Response(b"{}", 404)(scope, receive, send)

    return Generation(answer, lambda: answered_by() or served[0])


def test_an_answer_names_what_its_request_took() -> None:
    answer = asyncio.run(asked(application("one", ["one"]), scope_of("GET", "/")))
    assert (answer.status, answer.headers["x-generation"]) == (404, "one")


def test_one_that_took_none_names_what_is_served() -> None:
    assert (
        asyncio.run(asked(application("", ["one"]), scope_of("GET", "/"))).headers["x-generation"]
        == "another"
    )


def test_before_one_is_loaded_there_is_nothing_to_name() -> None:
    assert "x-generation" not in asyncio.run(asked(application("", [""]), scope_of("GET", "/"))).headers


def test_tasks_that_share_a_context_do_not_share_what_they_took() -> None:
    async def both() -> list[str]:
        first = await asked(application("one", ["one"]), scope_of("GET", "/"))
        second = await asked(application("", ["one"]), scope_of("GET", "/"))
        return [first.headers["x-generation"], second.headers["x-generation"]]

    assert asyncio.run(both()) == ["one", "another"]
