"""`taxohash pipeline trainjob`: what it prints is what the pipeline would train, and what its nodes start trains it."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from pipelines.cli.main import main
from pipelines.retrain.steps import run_folder
from pipelines.shared.placement import IMAGE, MOUNT, Placement, Resources, Training
from pipelines.shared.trainjob import command, trainjob
from taxohash.runtime import flags
from taxohash.runtime.configuration import replaced
from taxohash.training.config import HasherConfig
from taxohash.training.run import WEIGHTS, Run, train
from tests.support.miniature import HASHER, make_dataset

MD5 = f"{'1' * 32}.dir"


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["trainjob", "--dataset-md5", MD5, *words]) == 0
    return yaml.safe_load(capsys.readouterr().out)


def test_it_trains_where_the_pipeline_looks_with_what_it_was_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = printed(capsys, "--nodes", "4", "--bits", "64", "--option", "coarse=0.25")
    config = replaced(HasherConfig(), {"bits": 64, "objective.options.coarse": 0.25}).completed()
    words = job["spec"]["trainer"]["command"]
    assert words[:4] == ["torchrun", "-m", "taxohash.cli", "train"]
    given = dict(zip(words[4::2], words[5::2], strict=True))
    assert given["--out"] == run_folder(MOUNT, MD5, config).as_posix()
    assert given["--data"] == f"{MOUNT}/versions/{MD5.removesuffix('.dir')}"
    settings = [value for flag, value in zip(words[4::2], words[5::2], strict=True) if flag == "--set"]
    assert flags.chosen(HasherConfig, {"set": settings}).completed() == config
    assert (job["spec"]["trainer"]["numNodes"], job["spec"]["trainer"]["image"]) == (4, IMAGE)
    assert printed(capsys, "--data", "/work/data")["spec"]["trainer"]["command"][5] == "/work/data"


def test_its_pods_are_placed_as_steps_that_train() -> None:
    training = Training(gpus=2, nodes={"pool": "gpus"})
    placement = Placement(namespace="ours", claim="shared", queue="team", training=training)
    job = trainjob(HasherConfig(), "/work/data", "/work/runs/a_B-1", 3, placement, "image@sha256:1")
    assert job["metadata"]["namespace"] == "ours"
    assert job["metadata"]["name"] == "a-b-1"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    trainer = job["spec"]["trainer"]
    assert (trainer["numProcPerNode"], trainer["image"]) == (2, "image@sha256:1")
    assert trainer["resourcesPerNode"]["limits"] == {"memory": "8Gi", "nvidia.com/gpu": 2}
    (patch,) = job["spec"]["runtimePatches"]
    (node,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    pod = node["template"]["spec"]["template"]["spec"]
    assert pod["volumes"] == [{"name": "work", "persistentVolumeClaim": {"claimName": "shared"}}]
    assert pod["nodeSelector"] == {"pool": "gpus"}
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert Resources().gpus == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--nodes", "0"), "--nodes 0: give a whole number from 1"),
        (("--bits", "7"), "bits = 7"),
        (("--dataset-md5", "me"), "me"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: Sequence[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trainjob", "--dataset-md5", MD5, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


@pytest.mark.slow  # two agents of torchrun, each with a process that trains
def test_two_nodes_train_what_one_trains(tmp_path: Path) -> None:
    data, config = make_dataset(tmp_path / "data"), replaced(HASHER, {"training.epochs": 1}).completed()
    folder = tmp_path / "runs" / "two"
    words = command(config, str(data.folder), str(folder))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "PET_NNODES": "2",
        "PET_NPROC_PER_NODE": "1",
        "PET_MASTER_ADDR": "127.0.0.1",
        "PET_MASTER_PORT": str(port),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    nodes = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *words[1:]],
            env=os.environ | shared | {"PET_NODE_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [node.communicate(timeout=300)[0] for node in nodes]
    finally:
        for node in nodes:
            node.kill()
            node.wait()
    assert [node.returncode for node in nodes] == [0, 0], "\n".join(said)
    assert Run.open(folder).config.bits == config.bits
    alone = train(data.folder, tmp_path / "one", config)
    ours, theirs = (load_file(run / WEIGHTS) for run in (folder, alone.folder))
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert ours[name].shape == tensor.shape
