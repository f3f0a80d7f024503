"""What the trigger is told, read once from the environment. What each is, services/settings.py says."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from services import settings
from services.codestore.home import users_data
from services.codestore.keys import check_name
from services.trigger.decide import Policy
from services.trigger.records import Kind
from taxohash.errors import TaxohashError


@dataclass(frozen=True)
class Source:
    """Where data versions are named.

    Attributes:
        repository: URL or folder of git.
        branch: or tag; None: its HEAD.
        tracked: path of the file that DVC made.
        poll: seconds between two looks.
    """

    repository: str
    branch: str | None = None
    tracked: str = "data.dvc"
    poll: float = 60.0


@dataclass(frozen=True)
class Settings:
    """What the trigger is told."""

    collection: str
    folder: Path
    command: tuple[str, ...]
    options: tuple[str, ...] = ()
    retrain_options: tuple[str, ...] = ()
    drift_options: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    source: Source | None = None
    token_file: Path | None = None
    git_secret: str | None = field(default=None, repr=False)
    approval_secret: str | None = field(default=None, repr=False)
    notify_url: str | None = field(default=None, repr=False)
    body_bytes: int = settings.MAX_BODY_BYTES.default
    upload_seconds: float = settings.UPLOAD_SECONDS.default
    log: str = settings.LOG.default

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read and check every variable.

        Raises:
            TaxohashError: one has a value that cannot be, or is not read any more.
        """
        settings.refuse_gone(environment)
        collection = check_name("collection", settings.COLLECTION.of(environment))
        folder = settings.TRIGGER_FOLDER.of(environment) or users_data(environment) / "trigger"
        repository = settings.TRIGGER_REPOSITORY.of(environment)
        token_file = settings.TRIGGER_TOKEN_FILE.of(environment)
        return cls(
            collection=collection,
            folder=Path(folder).absolute() / collection,
            command=settings.TRIGGER_COMMAND.of(environment),
            options=settings.TRIGGER_OPTIONS.of(environment),
            retrain_options=settings.TRIGGER_RETRAIN_OPTIONS.of(environment),
            drift_options=settings.TRIGGER_DRIFT_OPTIONS.of(environment),
            policy=Policy(
                watched=repository is not None,
                cool_down=settings.TRIGGER_COOL_DOWN.of(environment),
                retry=settings.TRIGGER_RETRY.of(environment),
                attempts=settings.TRIGGER_ATTEMPTS.of(environment),
                runs_a_day=settings.TRIGGER_RUNS_A_DAY.of(environment),
                ask_first=_kinds(settings.TRIGGER_ASK_FIRST.of(environment)),
            ),
            source=_source(repository, environment) if repository else None,
            token_file=Path(token_file) if token_file else None,
            git_secret=settings.TRIGGER_GIT_SECRET.of(environment),
            approval_secret=settings.APPROVAL_SECRET.of(environment),
            notify_url=settings.NOTIFY_URL.of(environment),
            body_bytes=settings.MAX_BODY_BYTES.of(environment),
            upload_seconds=settings.UPLOAD_SECONDS.of(environment),
            log=settings.LOG.of(environment),
        )


def _source(repository: str, environment: Mapping[str, str]) -> Source:
    return Source(
        repository,
        settings.TRIGGER_BRANCH.of(environment),
        settings.TRIGGER_TRACKED.of(environment),
        settings.TRIGGER_POLL.of(environment),
    )


def _kinds(words: tuple[str, ...]) -> tuple[str, ...]:
    known = [kind.value for kind in Kind if kind is not Kind.PERSON]
    if unknown := next((word for word in words if word not in known), None):
        raise TaxohashError(
            f"{settings.TRIGGER_ASK_FIRST.name} has {unknown!r}: list kinds of {', '.join(known)}"
        )
    return words
