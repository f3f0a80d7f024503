"""Files of a run that are damaged, or somebody else's: one line that names the file, and no traceback."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.evaluation.report.read import REPORT, read_report
from taxohash.runtime.configuration import replaced
from taxohash.training import checkpoint
from taxohash.training.checkpoint import CHECKPOINT
from taxohash.training.run import CONFIG, WEIGHTS, Run, train
from tests.support.miniature import EPOCHS, HASHER

RECORD = {"epoch": 1, "seconds": 1.0, "lr": 0.1, "loss": 1.0}
Tensors = dict[str, Tensor]


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    """A run to spoil."""
    return Path(shutil.copytree(run.folder, tmp_path / "run"))


def refused(call: Callable[[], object], said: str) -> None:
    with pytest.raises(TaxohashError, match=said) as error:
        call()
    assert "\n" not in str(error.value)


BYTES = {
    "empty": b"",
    "text": b"hello",
    "a pickle": b"\x80\x04N.",
    "a header longer than any file": struct.pack("<Q", 2**62) + b"{}",
    "another header": struct.pack("<Q", 2) + b"[]",
}


@pytest.mark.parametrize("damage", BYTES.values(), ids=BYTES)
def test_damaged_weights(copy: Path, damage: bytes) -> None:
    (copy / WEIGHTS).write_bytes(damage)
    refused(Run.open(copy).network, "weights .* are damaged .*: train again")


def test_weights_that_are_no_file(copy: Path) -> None:
    run = Run.open(copy)
    (copy / WEIGHTS).unlink()
    refused(run.network, r"cannot be read \(No such file or directory\): put them back, or train again")
    (copy / WEIGHTS).mkdir()
    refused(run.network, r"cannot be read \(Is a directory\)")


def spoilt(name: str, value: Callable[[Tensor], Tensor]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: tensors | {name: value(tensors[name]).contiguous()}


OTHERS: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "another shape": (spoilt("network.hash.weight", lambda t: t[:, :3]), "is of another network"),
    "another type": (spoilt("network.hash.weight", lambda t: t.half()), r"torch.float16, not torch.float32"),
    "no vector": (spoilt("network.hash.bias", lambda t: t[0]), "hold no hash layer"),
    "nothing of it": (lambda _: {"other": torch.ones(1)}, "hold no hash layer"),
    "not finite": (
        spoilt("network.hash.bias", lambda t: t / 0),
        "number in network.hash.bias that is not finite",
    ),
}


@pytest.mark.parametrize(("change", "said"), OTHERS.values(), ids=OTHERS)
def test_weights_of_something_else(copy: Path, change: Callable[[Tensors], Tensors], said: str) -> None:
    save_file(change(load_file(copy / WEIGHTS)), copy / WEIGHTS)
    refused(Run.open(copy).network, said)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("bits", 32, "give 16 bits, not 32"),
        ("objective", {"name": "treecode", "options": {}}, "are not of objective 'treecode'"),
        ("objective", {"name": "magic", "options": {}}, "objective 'magic' is not known"),
        ("network", {"name": "huge", "size": 16, "channels": 1}, "network 'huge' is not known"),
    ],
)
def test_weights_that_the_configuration_does_not_describe(
    copy: Path, path: str, value: object, said: str
) -> None:
    recorded = json.loads((copy / CONFIG).read_text())
    recorded["config"][path] = value
    (copy / CONFIG).write_text(json.dumps(recorded))
    refused(Run.open(copy).network, said)


FOREIGN = {
    "empty": "",
    "another program's": '{"compilerOptions": {}}',
    "a list": "[1]",
    "text": '"config"',
    "null": "null",
    "too deep": "[" * 100_000,
    "another provenance": '{"config": CONFIG, "provenance": [1]}',
    "a lone surrogate": '{"config": "\\ud800", "provenance": {}}',
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_configuration(copy: Path, data: Dataset, text: str) -> None:
    own = json.dumps(json.loads((copy / CONFIG).read_text())["config"])
    (copy / CONFIG).write_text(text.replace("CONFIG", own))
    refused(lambda: Run.open(copy), "config.json is not")
    refused(lambda: train(data.folder, copy, HASHER), "config.json is not")


@pytest.mark.parametrize("damage", [bytes(range(256)), "{}".encode("utf-16")], ids=["binary", "UTF-16"])
def test_a_configuration_that_is_no_text(copy: Path, damage: bytes) -> None:
    (copy / CONFIG).write_bytes(damage)
    refused(lambda: Run.open(copy), "config.json is not JSON")


@pytest.mark.parametrize(
    "change",
    [
        lambda _: [],
        lambda _: None,
        lambda _: "protocol",
        lambda _: {"a": 1},
        lambda report: report | {"headline": [1]},
        lambda report: report | {"headline": {"mAP": "high"}},
        lambda report: report | {"metrics": {"mAP": float("nan")}},
        lambda report: report | {"protocol": "magic"},
        lambda report: report | {"protocol": ["hierarchical"]},
        lambda report: {name: value for name, value in report.items() if name != "counts"},
    ],
)
def test_a_foreign_report(copy: Path, change: Callable[[Any], Any]) -> None:
    report = read_report(copy)
    (copy / REPORT).write_text(json.dumps(change(report)))
    refused(
        lambda: read_report(copy), "report.json is no report of an evaluation: run `taxohash evaluate` first"
    )


def planted(copy: Path, log: object, change: Callable[[Tensors], Tensors] = lambda tensors: tensors) -> None:
    """A checkpoint in place of the weights."""
    tensors = change(load_file(copy / WEIGHTS))
    (copy / WEIGHTS).unlink()
    save_file(tensors, copy / CHECKPOINT, metadata={"log": json.dumps(log)})


def test_a_checkpoint_is_continued_from(copy: Path, data: Dataset) -> None:
    planted(copy, [RECORD] * (EPOCHS - 1))
    assert train(data.folder, copy, HASHER).folder == copy


@pytest.mark.parametrize("log", [3, None, {}, [1], [{"loss": 1.0}], "x"])
def test_a_checkpoint_with_another_log(copy: Path, data: Dataset, log: object) -> None:
    planted(copy, log)
    refused(
        lambda: train(data.folder, copy, HASHER), "checkpoint .* cannot be read .*: delete it to start again"
    )


def test_a_checkpoint_of_a_longer_training(copy: Path, data: Dataset) -> None:
    planted(copy, [RECORD] * 9)
    refused(lambda: train(data.folder, copy, HASHER), "is of 9 epochs, not 3: delete it to start again")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("optimiser.0.momentum_buffer", "fits no parameter.*: delete it to start again"),
        ("optimiser.999.momentum_buffer", "fits no parameter"),
        ("optimiser.0", "cannot be read"),
        ("optimiser.x.y", "cannot be read"),
        ("network.more", "is of another network"),
    ],
)
def test_a_checkpoint_of_something_else(copy: Path, data: Dataset, extra: str, said: str) -> None:
    planted(copy, [], lambda tensors: tensors | {extra: torch.zeros(7)})
    refused(lambda: train(data.folder, copy, HASHER), said)


def test_a_full_disk_is_one_line(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    hasher = replaced(HASHER, {"training.epochs": 1})
    refused(lambda: train(data.folder, tmp_path / "run", hasher), "No space left .*: free some space")
    assert [file.name for file in (tmp_path / "run").iterdir()] == [CONFIG]
