"""Two processes of torchrun train what one trains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from taxohash.errors import TaxohashError
from taxohash.networks.hashing import network
from taxohash.training import distributed
from taxohash.training.checkpoint import CHECKPOINT
from taxohash.training.fit import LOG
from taxohash.training.run import Run
from tests.support import together
from tests.support.miniature import TAXONOMY, make_dataset

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What one process wrote, and what two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    make_dataset(two / "data", train=50, test=6)
    together.main(one)
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launch += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--log-dir", str(two / "torchrun")]
    done = subprocess.run(
        [sys.executable, *launch, "-m", "tests.support.together", str(two)],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return one, two


def records(file: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("name", together.OBJECTIVES)
def test_losses_and_weights_are_those_of_one_process(folders: tuple[Path, Path], name: str) -> None:
    one, two = (folder / name for folder in folders)
    alone, shared = records(one / LOG), records(two / LOG)
    assert len(shared) == together.CONFIG.epochs
    for ours, theirs in zip(shared, alone, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
    expected = load_file(one / "weights-0.safetensors")
    for rank in (0, 1):
        found = load_file(two / f"weights-{rank}.safetensors")
        for key, tensor in expected.items():
            assert torch.allclose(found[key], tensor, rtol=1e-4, atol=1e-5), (rank, key)


def test_a_run_of_two_processes_is_a_run(folders: tuple[Path, Path]) -> None:
    run = Run.open(folders[1] / "run")
    assert len(records(run.folder / LOG)) == 1
    assert not (run.folder / CHECKPOINT).exists()
    assert run.network().hash.out_features == 2 * len(TAXONOMY)


def test_one_process_is_left_alone() -> None:
    batch = torch.arange(5)
    with distributed.group():
        assert (distributed.world_size(), distributed.rank()) == (1, 0)
        assert distributed.shard(batch) is batch
        assert distributed.all_gather(batch, 5) is batch
        made = nn.Linear(1, 1)
        assert distributed.parallel(made) is made


@pytest.mark.parametrize(("count", "world"), [(15, 2), (4, 2), (1, 2), (2, 4), (9, 4)])
def test_shares_are_equally_long_and_make_up_the_batch(
    count: int, world: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "world_size", lambda: world)
    shares = []
    for rank in range(world):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shares.append(distributed.shard(torch.arange(count)))
    assert len({len(share) for share in shares}) == 1
    assert torch.equal(torch.cat(shares)[:count], torch.arange(count))


def test_processes_that_cannot_meet_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(TaxohashError, match="torchrun"), distributed.group():
        pass


def test_shared_batch_norms_keep_names_and_values() -> None:
    torch.manual_seed(0)
    made = network("small-resnet", 16, 28, 1).eval()
    images = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8)
    with torch.no_grad():
        before, names = made(images), list(made.state_dict())
        distributed.sync_batch_norm(made)
        assert any(isinstance(module, nn.SyncBatchNorm) for module in made.modules())
        assert not any(isinstance(module, nn.BatchNorm2d) for module in made.modules())
        assert torch.allclose(made(images), before)
    assert list(made.state_dict()) == names
