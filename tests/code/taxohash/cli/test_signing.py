"""`taxohash sign` and `taxohash verify`, and who names their keys."""

from pathlib import Path

import pytest

from tests.support.command import run
from tests.support.generations import make_generation
from tests.support.signing import make_key

CLI = "taxohash.cli"


def test_a_generation_is_signed_and_verified_by_keys_of_options_or_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "generation"
    generation = make_generation(folder)
    private, public = make_key(tmp_path / "key.pem")
    assert "no private key is named: give --key, or set TAXOHASH_SIGN_KEY" in run(CLI, "sign", folder).stderr
    assert (
        "no public key is named: give --key, or set TAXOHASH_VERIFY_KEY" in run(CLI, "verify", folder).stderr
    )
    refused = run(CLI, "verify", folder, "--key", public)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is not signed" in refused.stderr
    done = run(CLI, "sign", folder, "--key", private)
    assert done.stdout == f"generation {generation.id} in {folder} is signed\n"
    told = f"generation {generation.id} in {folder} is signed by a key in {public}\n"
    assert run(CLI, "verify", folder, "--key", public).stdout == told
    monkeypatch.setenv("TAXOHASH_SIGN_KEY", str(private))
    monkeypatch.setenv("TAXOHASH_VERIFY_KEY", str(public))
    assert run(CLI, "sign", folder).returncode == 0
    assert run(CLI, "verify", folder).stdout == told
