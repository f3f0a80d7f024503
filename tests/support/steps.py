"""Steps of pipelines called in this process."""

from collections.abc import Callable

import pytest


def refusal(capsys: pytest.CaptureFixture[str], call: Callable[[], object]) -> str:
    """The one line with which a step ends."""
    with pytest.raises(SystemExit) as ended:
        call()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().out.splitlines()
    return line
