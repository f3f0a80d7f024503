"""What the steps do with the one configuration."""

import json
from pathlib import Path

import pytest

from pipelines.retrain import steps
from taxohash.release.gate import Policy
from taxohash.runtime.configuration import canonical, parse, plain, read
from taxohash.training.config import HasherConfig
from tests.support.configurations import changed_values, nested, untrained
from tests.support.miniature import make_dataset
from tests.support.steps import refusal

POLICY = canonical(Policy())


def test_a_policy_that_is_none_is_refused_before_anything_is_trained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refusal(capsys, lambda: steps.check_config("{}", '{"confidence": 2}'))
    assert "confidence = 2" in said


def test_equal_configurations_become_one_text() -> None:
    texts = [
        "{}",
        canonical(HasherConfig()),
        '{"training": {"lr": 0.1, "epochs": null}, "objective": {"options": {"flip": null, "coarse": 0.5}}}',
    ]
    (said,) = {steps.check_config(text, POLICY) for text in texts}
    assert said == canonical(HasherConfig().completed())
    assert steps.check_config(said, POLICY) == said


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "is not JSON"),
        ('{"training": {"epochs": 2.5}}', "training.epochs = 2.5: give a whole number of at least 1"),
        ('{"objective": {"name": "csq", "options": {"cubic": 1}}}', "objective 'csq': cubic is not known"),
        ('{"network": {"name": "huge"}}', "network 'huge' is not known"),
    ],
)
def test_a_bad_configuration_ends_the_step_with_one_line(
    config: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_dataset(tmp_path / "data", train=6, test=6)
    for step in (
        lambda: steps.check_config(config, POLICY),
        lambda: steps.train_hasher(str(data.folder), str(tmp_path), config, str(tmp_path / "out")),
    ):
        with pytest.raises(SystemExit) as ended:
            step()
        assert ended.value.code == 2
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith("error: ")
        assert said in line
    assert list(tmp_path.iterdir()) == [data.folder]


def test_every_field_reaches_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxohash.training.fit.fit", untrained)
    data, wanted = make_dataset(tmp_path / "data", train=12, test=6), nested(changed_values())
    config = steps.check_config(json.dumps(wanted), POLICY)
    steps.train_hasher(str(data.folder), str(tmp_path / "work"), config, str(tmp_path / "out"))
    recorded = json.loads((tmp_path / "out" / "config.json").read_text())["config"]
    assert wanted.items() <= recorded.items()
    folder = steps.run_folder(str(tmp_path / "work"), data.md5(), parse(HasherConfig, config))
    assert (folder / "weights.safetensors").is_file()
    assert folder.name.startswith("csq-16-")


def test_every_field_and_the_data_name_the_folder() -> None:
    standard, changed = plain(HasherConfig()), nested(changed_values())
    configs = [HasherConfig()]
    configs += [
        read(HasherConfig, standard | nested({path: value}))
        for path, value in changed_values().items()
        if "." not in path
    ]
    configs += [
        read(HasherConfig, standard | {part: standard[part] | {name: value}})
        for part, values in changed.items()
        if isinstance(values, dict)
        for name, value in values.items()
    ]
    folders = {steps.run_folder("work", "md5", config) for config in configs}
    assert len(folders) == len(configs) == 1 + len(changed_values())
    assert steps.run_folder("work", "other", HasherConfig()) not in folders


def test_the_gate_never_asks_with_the_canary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = {"headline": {}, "metrics": {}, "counts": {}, "protocol": "hierarchical", "ties": "expected"}
    (tmp_path / "report.json").write_text(json.dumps(report | {"provenance": {"queries": "canary"}}))
    said = refusal(
        capsys,
        lambda: steps.gate_hasher(str(tmp_path), "", "", "", "data", "md5", "", POLICY, "out", "judged"),
    )
    assert "split 'canary' is never asked by the gate" in said
