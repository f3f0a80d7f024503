"""docs/your-own-catalogue.ipynb, run in a kernel as its reader runs it, on a small tree of pictures."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest

from taxohash.runtime.sources import ROOT
from tests.support.miniature import make_dataset

pytestmark = [pytest.mark.system, pytest.mark.slow]
NOTEBOOK = ROOT / "docs" / "your-own-catalogue.ipynb"
# In a process of its own: the client of a kernel leaves sockets to the garbage collector.
EXECUTE = """
import sys

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

notebook, folder, sockets = sys.argv[1:]
found = nbformat.read(notebook, as_version=4)
kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=sockets)
NotebookClient(found, timeout=300, km=kernel, resources={"metadata": {"path": folder}}).execute()
nbformat.write(found, f"{folder}/executed.ipynb")
"""


def read(file: Path) -> Any:
    untyped: Any = nbformat
    return untyped.read(file, as_version=4)


def test_it_runs_from_pictures_to_what_is_served(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "made", train=60, test=6)
    rows = zip(data.labels("train").tolist(), data.images("train"), strict=True)
    for row, (label, picture) in enumerate(rows):
        folder = (tmp_path / "pictures").joinpath(*data.taxonomy.paths[label])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row}.png").write_bytes(picture)
    with tempfile.TemporaryDirectory(prefix="kernel-") as sockets:  # of a short name, as sockets need it
        done = subprocess.run(
            [sys.executable, "-c", EXECUTE, NOTEBOOK, tmp_path, f"{sockets}/ipc"],
            env={**os.environ, "PICTURES": str(tmp_path / "pictures"), "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=400, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outputs = [
        output for cell in read(tmp_path / "executed.ipynb").cells for output in cell.get("outputs", [])
    ]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3  # sheet, losses, answers
    told = "".join(output.get("text", "") for output in outputs)
    assert "6 labels on 3 levels; {'train': " in told
    assert "60 codes of 48 bits" in told
    assert "nothing like this: " in told  # None: of so few pictures it is not known
    assert "True ['mine/1']" in told
    assert "mine/1 0 True" in told  # by another client, with the token
    assert "404 item" in told
    assert "ended with 0" in told


def test_what_is_kept_is_the_last_run_of_what_it_says() -> None:
    notebook = read(NOTEBOOK)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert NOTEBOOK.stat().st_size < 1_500_000
    for told in ("/root", "/home/", "/tmp", "/work", "127.0.0.1:"):  # of the machine that it ran on
        assert not any(told in str(cell.outputs) for cell in code), told
