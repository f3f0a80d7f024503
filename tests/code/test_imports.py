"""Serving stays small: what it imports, and what may import what."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "kfp", "dvc", "onnx", "pandas", "pyarrow", "matplotlib")
SERVING = [
    "taxohash.hamming",
    "taxohash.generation.manifest",
    "taxohash.taxonomy",
    "taxohash.codes",
    "taxohash.images",
]
SERVING += ["taxohash.generation.hasher", "taxohash.client"]
SERVING += sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "services").rglob("*.py")
    if path.name != "__init__.py"
)
# A package may import those to its right. The test of the serving path has the finer rules.
ALLOWED = {
    "taxohash": {"taxohash"},
    "services": {"services", "taxohash"},
    "pipelines": {"pipelines", "services", "taxohash"},
}


def test_the_serving_path_imports_neither_torch_nor_kfp() -> None:
    program = f"""
import importlib, sys
for name in {SERVING!r}:
    importlib.import_module(name)
    heavy = sorted({{module.split(".")[0] for module in sys.modules}} & set({HEAVY!r}))
    if heavy:
        sys.exit(f"{{name}} imports {{heavy}}")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_run_downwards(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        above = imported(path) & set(ALLOWED) - ALLOWED[package]
        assert not above, f"{path.relative_to(ROOT)} imports {above}"


def test_the_method_knows_no_server() -> None:
    for path in (ROOT / "taxohash").rglob("*.py"):
        assert not imported(path) & {"bentoml", "kfp", "redis"}, path


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names
