"""Steps of pipelines called in this process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType

import pytest

from services.codestore import CodeStore


def refusal(capsys: pytest.CaptureFixture[str], call: Callable[[], object]) -> str:
    """The one line with which a step ends."""
    with pytest.raises(SystemExit) as ended:
        call()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().out.splitlines()
    return line


@contextmanager
def store_in_memory(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *modules: ModuleType
) -> Iterator[CodeStore]:
    """The code store that steps of these modules find, with a picture store below the folder."""
    monkeypatch.setenv("TAXOHASH_PICTURES", str(folder / "pictures"))
    monkeypatch.setenv(
        "TAXOHASH_REDIS_URL", "redis://unused"
    )  # not the user's own, with generations beside it
    with CodeStore.connect("memory://") as made:
        for module in modules:
            monkeypatch.setattr(module, "code_store", lambda: nullcontext(made))
        yield made
