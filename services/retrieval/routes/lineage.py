"""Where a generation comes from: run, configuration, code, data, report, and who published it in the place of what."""

from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.codestore import CodeStore
from services.codestore.generation_files import GenerationFiles
from services.lineage import Lineage, Made, chain
from services.lineage.gather import UnknownGenerationError, manifests_in
from services.retrieval.form import shown
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.routes.generations import told_by_store
from services.retrieval.schemas.lineage import LineageTold, LineageWishes
from services.retrieval.schemas.parameters import pairs_of, read_pairs
from services.retrieval.service import service_of
from services.retrieval.settings import Settings
from services.web.refused import RefusedError
from taxohash.generation.manifest import Generation


async def lineage(request: Request) -> Response:
    """Where a generation comes from: its run, data and report, who published it, and what it replaced."""
    service, generation = service_of(request), request.path_params["generation"]
    wishes = read_pairs(LineageWishes, pairs_of(request.scope["query_string"]))
    work = partial(_chain, service.settings, generation, wishes.most)
    found = await told_by_store(service, service.store, work)
    if not found:
        raise RefusedError(
            404,
            "lineage",
            f"generation {shown(generation)} is not known here: use an id from /v1/generations",
        )
    return JSONResponse({"lineage": [one.as_dict() for one in found]})


def _chain(settings: Settings, generation: str, most: int, store: CodeStore) -> list[Lineage]:
    """The lineage; none where nobody knows the generation."""
    try:
        return chain(store, settings.collection, generation, partial(_manifest, settings), most)
    except UnknownGenerationError:
        return []


def _manifest(settings: Settings, generation: str) -> Made | None:
    """What the manifest says of a generation that is at hand, or lies where services find theirs."""
    from services.codestore.hashers import (
        claimed_id,
    )  # ONNX Runtime, which the process that accepts requests does not have

    if settings.generation and claimed_id(Path(settings.generation)) == generation:
        return Made.of(Generation.load(settings.generation))
    files = GenerationFiles.open(settings.generations) if settings.generations else None
    return manifests_in(files)(generation)


ENDPOINTS = [
    Endpoint(
        "GET",
        "/v1/lineage/{generation}",
        lineage,
        "lineage",
        "search",
        parameters=LineageWishes,
        told=LineageTold,
    ),
]
