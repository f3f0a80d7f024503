"""docs/your-own-catalogue.ipynb, run in a kernel as its reader runs it, on a small tree of pictures."""

import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from taxohash.runtime.sources import ROOT
from tests.support.miniature import make_dataset

pytestmark = [pytest.mark.system, pytest.mark.slow]
NOTEBOOK = ROOT / "docs" / "your-own-catalogue.ipynb"


def read() -> Any:
    untyped: Any = nbformat
    return untyped.read(NOTEBOOK, as_version=4)


def test_it_runs_from_pictures_to_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_dataset(tmp_path / "made", train=60, test=6)
    rows = zip(data.labels("train").tolist(), data.images("train"), strict=True)
    for row, (label, picture) in enumerate(rows):
        folder = (tmp_path / "pictures").joinpath(*data.taxonomy.paths[label])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row}.png").write_bytes(picture)
    monkeypatch.setenv("PICTURES", str(tmp_path / "pictures"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = read()
    where = {"metadata": {"path": str(tmp_path)}}
    with tempfile.TemporaryDirectory(prefix="kernel-") as sockets:  # of a short name, as sockets need it
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/ipc")
        NotebookClient(notebook, timeout=300, km=kernel, resources=where).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3  # sheet, losses, answers
    told = "".join(output.get("text", "") for output in outputs)
    assert "6 labels on 3 levels; {'train': " in told
    assert "60 codes of 48 bits" in told


def test_what_is_kept_is_the_last_run_of_what_it_says() -> None:
    notebook = read()
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert NOTEBOOK.stat().st_size < 1_500_000
