"""The webhook of a git host, after a push."""

import hashlib
import hmac

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services import settings
from services.trigger.endpoint import Endpoint, read_body
from services.trigger.service import service_of
from services.web.refused import RefusedError


async def pushed(request: Request) -> Response:
    """Webhook of GitHub, Gitea, Forgejo (X-Hub-Signature-256) or GitLab (X-Gitlab-Token): the repository is looked at now."""
    service = service_of(request)
    secret = service.settings.git_secret
    if not secret:
        raise RefusedError(
            403, "role", f"webhooks of git hosts are closed: set {settings.TRIGGER_GIT_SECRET.name}"
        )
    signed = hmac.new(secret.encode(), digestmod=hashlib.sha256)
    await read_body(request, signed.update)  # not kept: anybody may send one
    signature = "sha256=" + signed.hexdigest()
    shown = request.headers.get("x-hub-signature-256", ""), request.headers.get("x-gitlab-token", "")
    right = [_same(shown[0], signature), _same(shown[1], secret)]
    if not any(right):
        raise RefusedError(
            401, "key", "the signature is missing or wrong: give the git host the secret of the trigger"
        )
    if service.watch is None:
        raise RefusedError(
            409, "parameter", f"no repository is watched: name it in {settings.TRIGGER_REPOSITORY.name}"
        )
    service.watch.look_soon()
    return JSONResponse({"status": "looking"}, 202)


def _same(shown: str, wanted: str) -> bool:
    return hmac.compare_digest(shown.encode(), wanted.encode())


ENDPOINTS = [Endpoint("POST", "/v1/git", pushed, "git", "signed")]
