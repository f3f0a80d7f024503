"""API keys in texts."""

from services.web.secrets import without_secrets

SECRET = "txh_" + "aB3_-" * 9


def test_no_secret_is_left_in_a_text() -> None:
    assert without_secrets(f"a {SECRET} b {SECRET[:9]}") == "a txh_... b txh_..."
    assert without_secrets("nothing here") == "nothing here"
