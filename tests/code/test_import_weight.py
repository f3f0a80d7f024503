"""What a process imports before it does anything: counted, never timed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# `torch` takes two seconds to import, `bentoml` and `kfp` one, each of the others a tenth of one or more.
HEAVY = {
    "bentoml", "cryptography", "dvc", "kfp", "matplotlib", "model_signing", "numba", "onnx", "onnxruntime", "pandas", "pyarrow", "redis",
    "scipy", "torch",
}  # fmt: skip
NEEDED: dict[str, set[str]] = {
    "taxohash.cli.main": set(),
    "taxohash.client": set(),
    "taxohash.training.config": set(),
    "taxohash.training.run": {"pyarrow"},
    "services.processes": set(),
    "services.metrics": set(),
    "services.codestore": set(),
    "services.retrieval.settings": set(),
    "services.retrieval.decoding.answers": set(),
    "services.retrieval.app": set(),
    "services.retrieval.bento.build": set(),
    "services.retrieval.server.main": set(),
    "services.trigger.main": set(),
    "services.retrieval.bento.service": {"bentoml"},
    "pipelines.data": {"pyarrow"},
    "pipelines.shared.step": set(),
    "pipelines.shared.items": {"pyarrow"},
    "pipelines.cli.main": set(),
    "pipelines.backfill.follow": {"onnxruntime"},
    "pipelines.retrain.steps": {"onnxruntime", "pyarrow"},
    "pipelines.retrain.pipeline": {"cryptography", "kfp"},
    "pipelines.runners.local": set(),
    "pipelines.demo.main": {"cryptography", "pyarrow", "redis"},
}
# Forks a process a line, so that Python itself starts once.
FORKING = """
import importlib, json, os, sys
sys.path.insert(0, sys.argv[1])
for line in sys.stdin:
    if os.fork() == 0:
        importlib.import_module(line.strip())
        print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """Packages that a new process has imported with each module."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(root)],
        input="\n".join(NEEDED),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert not done.stderr
    return dict(zip(NEEDED, (set(json.loads(line)) for line in done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("module", NEEDED)
def test_a_module_imports_what_it_needs_and_nothing_heavy_besides(
    imported: dict[str, set[str]], module: str
) -> None:
    assert imported[module] & HEAVY <= NEEDED[module]
