"""What the routes work with, from the start of a process to its end."""

import asyncio
import logging
import math
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request

from services import metrics
from services.codestore import CodeStore
from services.codestore.pictures import Pictures, users_folder
from services.codestore.places import Place
from services.codestore.sampled import SampledQueries
from services.codestore.unused_pictures import remove_unused
from services.retrieval.access import Gate
from services.retrieval.admission import Admission
from services.retrieval.answering import answer_with
from services.retrieval.aside import Aside
from services.retrieval.brief import Brief
from services.retrieval.decoding.decoders import Decoders
from services.retrieval.descriptions import Descriptions
from services.retrieval.health import Watch
from services.retrieval.identical import Identical
from services.retrieval.late_store import LateStore
from services.retrieval.readiness import Standing, Status, status
from services.retrieval.recent import Recorder
from services.retrieval.sampling import Sampler
from services.retrieval.settings import Settings
from services.retrieval.several import AT_ONCE
from services.retrieval.store_look import StoreLook
from services.retrieval.turns import Turns
from services.retrieval.unused import Unused
from services.retrieval.uploads import Uploads
from services.retrieval.workers import Workers
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError
from taxohash.images.pixel_hash import DIGITS as PIXEL_DIGITS

if TYPE_CHECKING:  # numba and ONNX Runtime take a second to import: the process lives before
    from services.codestore.follower.follower import Follower
    from services.codestore.follower.replica import Replica
    from services.codestore.follower.swap import Swap
    from services.retrieval.engine import Engine
    from services.retrieval.following import Followed, Served

LOG = logging.getLogger("taxohash")
_LOADING_SECONDS = 10.0  # a call of those who load and follow, of which no request waits
_LOOK_SECONDS = 1.0  # between what is told of the generations
# A thread that has something to do waits so long for Python while requests come without end; 5 ms would be a search's own.
_SWITCH_SECONDS = 0.0005
_ASKING_THREADS = 4  # that call stores for requests
_ASKING_WAITING = 128  # requests that wait for one of them
_WRITING_THREADS = 4  # that write items
_WRITING_WAITING = 32
_SAMPLING_SECONDS = 1.0  # at the end, for sampled queries that wait to be kept


class Service:
    """What the routes work with.

    Attributes:
        gate: who is let in.
        store: for requests: its calls end in time.
        admin: the same store as its admin; None where the settings do not name it.
        uploads, admission: of searches.
        brief: plain searches by code, of which most need no thread.
        aside: where decoders and workers are asked, so that those who are refused do not hold up those who search.
        workers: encode and search; they wait for nothing.
        asking: call stores.
        writing: likewise, to write items.
        identical: which items have the picture that is searched for.
        descriptions: of what is served.
        pictures: None where the settings name no store and there is none among the user's data.
        recorder: keeps what the metrics were in the last hour.
        turns: of those who write an item.
        unused: pictures that may be named by no item any more.
        sampler: keeps some of the pictures that are searched for.
        watch: tells how well what is served finds.
        draining: the process is about to end.
    """

    def __init__(self, settings: Settings, connect: Callable[[float], CodeStore] | None = None) -> None:
        """Prepare to serve; nothing is connected or started.

        Args:
            connect: gives a code store whose calls take so many seconds at most.

        Raises:
            TaxohashError: the settings name what cannot be.
        """
        self.settings = settings
        self.gate = Gate(settings)
        limits = settings.limits
        connect_admin = connect or (
            lambda seconds: CodeStore.connect(settings.admin_redis_url or "", timeout=seconds)
        )
        connect = connect or (lambda seconds: CodeStore.connect(_address(settings), timeout=seconds))
        if settings.generations:
            Place.open(settings.generations, "generations")
        self.pictures = open_pictures(settings)
        self.store = LateStore(lambda: connect(limits.store_seconds))
        self.admin = (
            None
            if settings.admin_redis_url is None
            else LateStore(lambda: connect_admin(limits.store_seconds))
        )
        self.aside = Aside("searches")
        self.brief = Brief()
        self.decoders = Decoders(limits)
        self.uploads = Uploads(limits)
        self.admission = Admission(limits)
        self.workers = Workers("search", limits.threads, AT_ONCE * limits.requests)
        self.asking = Workers("store", _ASKING_THREADS, _ASKING_WAITING)
        self.writing = Workers("write", _WRITING_THREADS, _WRITING_WAITING)
        self.turns = Turns()
        self.unused = Unused(self._remove_unused)
        self.sampler = Sampler(
            SampledQueries(self.pictures.place, settings.collection) if self.pictures else None,
            settings.sampling,
        )
        self.recorder = Recorder()
        self.identical = Identical(lambda: self.store(), self.asking, settings.collection)
        self.descriptions = Descriptions()
        self.watch = Watch(
            lambda: served.engine if (served := self.served) else None, settings.canary_seconds
        )
        self.draining = False
        self._followers_store = LateStore(lambda: connect(_LOADING_SECONDS))
        self._looked_at = LateStore(lambda: connect(limits.store_seconds))
        self._store_look = StoreLook(self._looked_at, settings.collection)
        metrics.SEARCHES_OBJECTIVE.set(settings.objective_seconds)
        self._followed: Followed | None = None
        self._swap: Swap[Replica, Engine] | None = None
        self._begun: asyncio.Future[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to load what is to be served, and to decode."""
        self._begun = asyncio.get_running_loop().run_in_executor(None, self._begin)
        self._begun.add_done_callback(_tell_failure)
        self.gate.start()
        self.sampler.start()
        self.watch.start()
        self._store_look.start()
        sys.setswitchinterval(_SWITCH_SECONDS)
        self.aside.start()
        self.recorder.start()
        await self.aside.run(self.decoders.start())
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """End all threads and processes, and close connections."""
        self.draining = True
        self.gate.stop()
        await asyncio.to_thread(self.watch.stop)
        self._store_look.stop()
        await asyncio.to_thread(self.sampler.stop, _SAMPLING_SECONDS)
        if self._watching:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        await self.aside.run(self.decoders.close())
        self.workers.close()
        self.aside.stop()
        self.unused.close()
        self.recorder.stop()
        self.asking.close()
        self.writing.close()
        self.descriptions.close()
        if self._begun:
            await asyncio.wait([self._begun])
        if self._swap:
            await asyncio.to_thread(self._swap.stop)
        self.store.close()
        if self.admin:
            self.admin.close()
        self._followers_store.close()
        self._looked_at.close()

    @property
    def served(self) -> "Served | None":
        """What is served now. A request takes it once, and holds it to its end."""
        return self._swap.serving if self._swap else None

    def taken(self) -> "Served":
        """What is served now; the answer to the request of this task names it.

        Raises:
            RefusedError: 503, nothing yet.
        """
        if (served := self.served) is None:
            raise RefusedError(
                503, "loading", "no generation is loaded yet: try again in a moment", {"Retry-After": "2"}
            )
        answer_with(served.generation)
        return served

    @property
    def followed(self) -> "tuple[Served, Follower] | None":
        """What is served now, and what keeps it level with the store."""
        return self._swap.current if self._swap else None

    @property
    def trouble(self) -> str:
        """Why what is to be served is not, in one line for the log; nothing where it is."""
        return self._swap.error if self._swap else ""

    @property
    def age_seconds(self) -> float:
        """For which what is searched may be behind the store; infinite if nobody knows."""
        follower = self._swap.follower if self._swap else None
        return follower.lag().age if follower else math.inf

    def standing(self) -> Standing:
        """What is known of what is served. Waits for nothing."""
        served, follower = self.served, self._swap.follower if self._swap else None
        lag = follower.lag() if follower else None
        return Standing(
            serving=served.generation if served else None,
            wanted=self._swap.wanted if self._swap else None,
            published=self._followed.published if self._followed else None,
            pinned=self.settings.pin is not None,
            reachable=follower is not None and follower.state == "following",
            lag_seconds=lag.seconds if lag else 0.0,
            age_seconds=lag.age if lag else math.inf,
            draining=self.draining,
        )

    def status(self, standing: Standing) -> Status:
        """Ready, or why not."""
        return status(standing, self.settings.lag_seconds, self.settings.stale_seconds)

    def _remove_unused(self, looks: frozenset[str]) -> None:
        """Remove the pictures among these that no item names, and what was asked with one of them, whoever names it besides.

        Args:
            looks: sha256 of pictures, and hashes of pixels, by which sampled queries are known besides.
        """
        if self.pictures is not None:
            self.sampler.forget(looks)
            digests = {look for look in looks if len(look) > PIXEL_DIGITS}
            remove_unused(self.store(), self.settings.collection, self.pictures, digests)

    def _begin(self) -> None:
        from services.codestore.hashers import Hashers, kept_in
        from services.retrieval.following import Followed, follow

        settings = self.settings
        at_hand = Path(settings.generation) if settings.generation else None
        hashers = Hashers(at_hand, settings.generations, kept_in(settings.cache))
        self._followed = Followed(self._followers_store, settings.collection, settings.pin)
        swap = follow(self._followed, hashers, _loaded, _swapped)
        swap.start()
        self._swap = swap

    async def _watch(self) -> None:
        """Tell the metrics and the log what becomes of the generations."""
        said, shown, before = "", None, None
        if self._begun:
            await asyncio.wait([self._begun])
        while True:
            standing = self.standing()
            if standing.serving != shown:
                if shown:
                    metrics.CODES_LOADED.remove(shown)
                    metrics.GENERATION_SERVED.remove(shown)
                shown, before = standing.serving, shown
                LOG.info("serving generation %s", shown)
            # Each time: a request may end that began two generations ago.
            metrics.forget_generations(but={"", shown or "", before or ""})
            if served := self.served:
                metrics.GENERATION_SERVED.labels(served.generation).set(1)
                metrics.CODES_LOADED.labels(served.generation).set(len(served.engine))
            metrics.READY.set(self.status(standing) == "ready")
            metrics.PINNED.set(standing.pinned)
            metrics.PUBLISHED_NOT_SERVED.set(
                not standing.pinned
                and standing.published is not None
                and standing.published != standing.serving
            )
            metrics.STORE_REACHABLE.set(standing.reachable)
            metrics.LAG_SECONDS.set(standing.lag_seconds)
            metrics.AGE_SECONDS.set(standing.age_seconds)
            if (error := self.trouble) != said:
                said = error
                if error:
                    LOG.warning("%s", error)
            metrics.SWAP_FAILING.set(bool(error))
            await asyncio.sleep(_LOOK_SECONDS)


def service_of(request: Request) -> Service:
    """What the application of this request works with."""
    service: Service = request.app.state.service
    return service


def open_pictures(settings: Settings) -> Pictures | None:
    """The picture store that the settings name, or the one among the user's data, or None where neither is.

    Raises:
        TaxohashError: see Pictures.open.
    """
    if settings.pictures:
        return Pictures.open(settings.pictures, seconds=settings.limits.store_seconds)
    folder = users_folder()
    return Pictures.open(folder) if folder.is_dir() else None


def _address(settings: Settings) -> str:
    if settings.redis_url is None:
        raise TaxohashError(
            "TAXOHASH_REDIS_URL is not set: set it to the code store, such as redis://127.0.0.1:6379/0, or use `taxohash serve`"
        )
    return settings.redis_url


def _tell_failure(begun: "asyncio.Future[None]") -> None:
    """What goes wrong before anything is loaded is a bug, and nobody waits for it."""
    if not begun.cancelled() and (error := begun.exception()):
        LOG.critical("nothing will be loaded", exc_info=error)


def _swapped(seconds: float | None) -> None:
    """A change of the generation took so long, or failed."""
    metrics.SWAPS.labels("failed" if seconds is None else "done").inc()
    if seconds is not None:
        metrics.SWAP_SECONDS.set(seconds)


def _loaded(served: "Served") -> None:
    LOG.info("generation %s is loaded: %s codes", served.generation, len(served.engine))
