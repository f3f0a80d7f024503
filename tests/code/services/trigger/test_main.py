"""`taxohash trigger`: what it refuses before it serves, and the words of a run."""

from pathlib import Path

import pytest

from services.codestore import CodeStore, GenerationRef
from services.codestore.generation_files import GenerationFiles
from services.trigger.main import main, served, words_of
from services.trigger.records import DataVersion, Pipeline, Run
from services.trigger.settings import Settings
from tests.support.generations import TAXONOMY, make_generation

HERE = ("--port", "0")


@pytest.mark.parametrize(
    ("variables", "words", "told"),
    [
        ({"TAXOHASH_REDIS_URL": "memory://"}, HERE, "memory://"),
        ({"TAXOHASH_TRIGGER_ASK_FIRST": "alert,people"}, HERE, "TAXOHASH_TRIGGER_ASK_FIRST has 'people'"),
        ({"TAXOHASH_TRIGGER_COOL_DOWN": "soon"}, HERE, "a time such as 90s"),
        ({"TAXOHASH_TRIGGER_COMMAND": "it's"}, HERE, "as a shell reads them"),
        ({"TAXOHASH_TRIGGER_GIT_SECRET": "short"}, HERE, "at least 16 characters"),
        ({"TAXOHASH_APPROVAL_SECRET": "short"}, HERE, "at least 16 characters"),
        ({"TAXOHASH_TRIGGER_ATTEMPTS": "0"}, HERE, "TAXOHASH_TRIGGER_ATTEMPTS"),
        ({"TAXOHASH_COLLECTION": "a/b"}, HERE, "no name"),
        ({"TAXOHASH_TRIGGER_TOKEN_FILE": "/no/such/file"}, HERE, "/no/such/file"),
        ({"TAXOHASH_TRIGGER_FOLDER": "/dev/null/x", "TAXOHASH_REDIS_URL": "memory://"}, HERE, "memory://"),
        ({}, ("--port", "0", "--host", "0.0.0.0"), "TAXOHASH_TRIGGER_TOKEN_FILE"),
        ({}, ("--port", "70000"), "70000"),
    ],
)
def test_what_cannot_be_is_one_line(
    variables: dict[str, str],
    words: tuple[str, ...],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main([*words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("trigger: ")
    assert said.err.count("\n") == 1
    assert told in said.err
    assert "short" not in said.err


@pytest.mark.parametrize("tracked", ["data.dvc", "sets/birds.dvc"])
@pytest.mark.parametrize(("pipeline", "own"), [("retrain", ["--bits", "32"]), ("reindex", [])])
def test_a_run_is_told_its_data_and_its_options(
    pipeline: Pipeline, own: list[str], tracked: str, tmp_path: Path
) -> None:
    environment = {
        "TAXOHASH_COLLECTION": "birds", "TAXOHASH_TRIGGER_FOLDER": str(tmp_path), "TAXOHASH_TRIGGER_REPOSITORY": "https://git/x",
        "TAXOHASH_TRIGGER_COMMAND": "taxohash pipeline submit", "TAXOHASH_TRIGGER_OPTIONS": "--remote 's3://a b/c'",
        "TAXOHASH_TRIGGER_RETRAIN_OPTIONS": "--bits 32", "TAXOHASH_TRIGGER_ASK_FIRST": "alert schedule",
        "TAXOHASH_TRIGGER_TRACKED": tracked,
    }  # fmt: skip
    settings = Settings.from_environment(environment)
    data = DataVersion(md5="1" * 32 + ".dir", revision="c0ffee", time=0.0)
    run = Run(name="run-1", pipeline=pipeline, reasons=(), began=0.0, data=data)
    assert words_of(settings, run) == [
        *("taxohash", "pipeline", "submit", pipeline, "--remote", "s3://a b/c"),
        *own,
        *("--repository", "https://git/x", "--revision", f"c0ffee:{tracked}", "--collection", "birds", "--run", "run-1", "--json"),
    ]  # fmt: skip
    assert settings.policy.ask_first == ("alert", "schedule")


def test_drift_is_told_of_no_data() -> None:
    environment = {
        "TAXOHASH_COLLECTION": "birds", "TAXOHASH_TRIGGER_COMMAND": "taxohash pipeline run", "TAXOHASH_TRIGGER_OPTIONS": "--remote s3://a",
        "TAXOHASH_TRIGGER_REPOSITORY": "https://git/x", "TAXOHASH_TRIGGER_DRIFT_OPTIONS": "--policy hours=6",
    }  # fmt: skip
    data = DataVersion(md5="1" * 32 + ".dir", revision="c0ffee", time=0.0)
    run = Run(name="run-1", pipeline="drift", reasons=(), began=0.0, data=data)
    assert words_of(Settings.from_environment(environment), run) == [
        *("taxohash", "pipeline", "run", "drift", "--policy", "hours=6", "--collection", "birds", "--run", "run-1", "--json")
    ]  # fmt: skip


def test_without_a_repository_nobody_waits_for_data(tmp_path: Path) -> None:
    settings = Settings.from_environment({"XDG_DATA_HOME": str(tmp_path)})
    assert not settings.policy.watched
    assert settings.folder == tmp_path / "taxohash" / "trigger" / "default"
    run = Run(name="run-1", pipeline="retrain", reasons=(), began=0.0)
    words = words_of(settings, run)
    assert words[-5:] == ["--collection", "default", "--run", "run-1", "--json"]
    assert words[1:5] == ["-m", "taxohash.cli", "pipeline", "run"]


def test_it_knows_of_which_data_what_is_served_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_generation(tmp_path / "made")
    monkeypatch.setenv("TAXOHASH_GENERATIONS", str(tmp_path / "kept"))
    with CodeStore.connect("memory://") as store:
        assert served(store, "birds") is None
        store.create("birds", TAXONOMY, segments=1)
        assert served(store, "birds") is None
        store.begin("birds", GenerationRef(made.id, made.bits, made.taxonomy_sha256))
        store.seal("birds", made.id)
        store.publish("birds", made.id)
        assert served(store, "birds") == ""  # its files are not here
        GenerationFiles.open(tmp_path / "kept").put(tmp_path / "made")
        assert served(store, "birds") == made.dataset_md5
