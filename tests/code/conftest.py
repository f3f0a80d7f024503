from pathlib import Path

import pytest

from tests.support.tiny import make_tiny


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return make_tiny(tmp_path / "tiny")
