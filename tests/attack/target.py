"""The service under attack: a made generation, its codes in a store of its own, and all processes that serve them."""

import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from services.codestore import EmbeddedServer
from tests.attack.wire import Address, address_of
from tests.support.generations import make_generation
from tests.support.serving import environment, pictures_of, publish, start

POD_BYTES = 1536 * 2**20  # of the manifests
MEMORY = {resource.RLIMIT_DATA: POD_BYTES}
DESCRIPTORS = {resource.RLIMIT_NOFILE: 1024}


@dataclass(frozen=True)
class Target:
    """What is attacked.

    Attributes:
        pid: of the process that was started; 0 where nobody said.
        store: that it reads, where it is ours to break.
        process: what was started, where we did.
        log: where its standard error goes.
        generation: folder of what was published.
        others: further services of the same store.
    """

    url: str
    pid: int = 0
    store: EmbeddedServer | None = None
    process: "subprocess.Popen[bytes] | None" = None
    log: Path | None = None
    generation: Path | None = None
    others: "tuple[Target, ...]" = ()

    @property
    def address(self) -> Address:
        return address_of(self.url)

    def family(self) -> list[psutil.Process]:
        """The process that was started, and all that came of it and lives; the parents first."""
        if not self.pid:
            return []
        try:
            first = psutil.Process(self.pid)
            return [process for process in (first, *first.children(recursive=True)) if lives(process)]
        except psutil.NoSuchProcess:
            return []


@contextmanager
def attacked(
    settings: Mapping[str, str], limits: Mapping[int, int] | None = None, services: int = 1
) -> Iterator[Target]:
    """A service that is ready; nothing of it is left afterwards, whatever was done to it.

    Args:
        settings: TAXOHASH_* variables.
        limits: of each of its processes, by RLIMIT_*.
        services: of the same store; the target is the first.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="attack-")))
        generation = folder / "generation"
        make_generation(generation)
        store = stack.enter_context(EmbeddedServer(folder / "store"))
        publish(store.url, generation)
        variables = environment(
            store.url,
            folder / "home",
            TAXOHASH_PICTURES=str(pictures_of(generation)),
            TAXOHASH_GENERATIONS=str(folder),
            **settings,
        )
        started: list[Target] = []
        for number in range(services):
            process, url = start(str(generation), variables, folder / f"log{number}")
            target = Target(url, process.pid, store, process, folder / f"log{number}", generation)
            stack.callback(end, target, target.family())
            limit(target, limits or {})
            started.append(target)
        yield replace(started[0], others=tuple(started[1:]))


def at(target: Target) -> Callable[..., AbstractContextManager[Target]]:
    """The way to a service that runs already, whose settings and limits stay as they are."""

    @contextmanager
    def start(
        settings: Mapping[str, str], limits: Mapping[int, int] | None = None, services: int = 1
    ) -> Iterator[Target]:
        yield target

    return start


def limit(target: Target, limits: Mapping[int, int]) -> None:
    """Limit each process by RLIMIT_*, and so those that it starts from now on; what is limited more stays so."""
    for member in target.family():
        for what, most in limits.items():
            _, hard = member.rlimit(what)
            if hard == resource.RLIM_INFINITY or hard > most:
                member.rlimit(what, (most, most))


def lives(process: psutil.Process) -> bool:
    """Whether it has not ended, if nobody has been told yet."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def end(target: Target, family: list[psutil.Process]) -> None:
    """End all processes of a service, and those that it had."""
    for member in {*family, *target.family()}:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    if target.process is not None:
        target.process.wait()
    psutil.wait_procs(family, timeout=10)


def roles(target: Target) -> dict[str, list[psutil.Process]]:
    """The processes by what they are to the service, as far as anybody can tell from outside.

    A worker has a hasher, and has started nobody who has one but decoders; what is between it and the starter manages it.
    """
    found: dict[str, list[psutil.Process]] = {"starter": [], "between": [], "worker": [], "decoder": []}
    for process in target.family():
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):  # it has just ended
            found[_role(process, target)].append(process)
    return found


def _role(process: psutil.Process, target: Target) -> str:
    if process.pid == target.pid:
        return "starter"
    if _decodes(process):
        return "decoder"
    others = [child for child in process.children() if lives(child) and not _decodes(child)]
    return "worker" if _has_hasher(process) and not any(map(_has_hasher, others)) else "between"


def _decodes(process: psutil.Process) -> bool:
    return "decod" in " ".join([process.name(), *process.cmdline()])


def _has_hasher(process: psutil.Process) -> bool:
    return "onnxruntime" in Path(f"/proc/{process.pid}/maps").read_text()


def lasting(target: Target) -> set[int]:
    """Ids of the processes that nothing may end: all but decoders."""
    found = roles(target)
    return {process.pid for kind in found if kind != "decoder" for process in found[kind]}
