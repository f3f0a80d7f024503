import traceback
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.connection.address import Address, parse_address
from taxohash.errors import TaxohashError
from tests.support.outcome import answer

SECRET = "h7nt"  # in every password below; a piece of it is enough to give it away


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("redis://", Address()),
        ("redis://host", Address("host")),
        ("REDIS://host\n", Address("host")),
        ("redis://host:7000/3", Address("host", 7000, database=3)),
        ("redis://host?db=3", Address("host", database=3)),
        ("redis:///3", Address(database=3)),
        ("redis://[::1]:7000", Address("::1", 7000)),
        ("redis://user@host", Address("host", user=b"user")),
        ("redis://:word@host", Address("host", password=b"word")),
        ("redis://host?username=u&password=a%40b", Address("host", user=b"u", password=b"a@b")),
        ("redis://host?client_name=me", Address("host", client_name="me")),
        ("unix:///run/a@b.sock?db=2", Address(path="/run/a@b.sock", database=2)),
        ("unix://u:p@/run/a%20b.sock", Address(path="/run/a b.sock", user=b"u", password=b"p")),
        ("rediss://host", Address("host", tls=True)),
        (
            "rediss://host?ssl_cert_reqs=none&ssl_ca_certs=/a%20b.pem",
            Address("host", tls=True, ca_file="/a b.pem", check_certificate=False, check_host=False),
        ),
        (
            "rediss://host?ssl_certfile=c&ssl_keyfile=k&ssl_check_hostname=false",
            Address("host", tls=True, certificate_file="c", key_file="k", check_host=False),
        ),
    ],
)
def test_addresses_are_read(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "password", ["a[b", "a]b", "a#b", "a@b", "a/b", "a?b", "a:b", "a%b", "100%", "ü", "[", "a b"]
)
def test_a_password_needs_no_escapes(password: str) -> None:
    assert parse_address(f"redis://user:{password}@host:7000/1") == Address(
        "host", 7000, database=1, user=b"user", password=password.encode()
    )


@given(user=st.text(min_size=1), password=st.text(min_size=1))
def test_any_escaped_user_and_password_is_read_and_never_shown(user: str, password: str) -> None:
    escaped = f"{quote(user.encode('utf-8', 'surrogatepass'), safe='')}:{quote(password.encode('utf-8', 'surrogatepass'), safe='')}"
    address = parse_address(f"rediss://{escaped}@host/2")
    assert address.user == user.encode("utf-8", "surrogatepass")
    assert address.password == password.encode("utf-8", "surrogatepass")
    assert str(address) == "rediss://***@host:6379/2"
    assert repr(address) == repr(replace(address, user=None, password=None))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no store address: give redis://"),
        (f"{SECRET}", "no store address: give redis://"),
        (f"http://:{SECRET}@host", "no store address: give redis://"),
        (f"redis:/:{SECRET}@host", "no store address: give redis://"),
        (f"redis://:{SECRET}", "port .* is no number from 1 to 65535"),
        (f"redis://user:{SECRET}", "port .* is no number"),
        (f"redis://[{SECRET}", "host .* cannot be read"),
        (f"redis://:{SECRET}@", None),
        (f"redis://:{SECRET}@[::1", "host .* cannot be read"),
        (f"redis://:{SECRET}@ho st", "port"),
        (f"redis://:{SECRET}@\x00", "host .* cannot be read"),
        (f"redis://:{SECRET}@host:0", "port"),
        (f"redis://:{SECRET}@host:65536", "port"),
        (f"redis://:{SECRET}@host:٣", "port"),
        (f"redis://:{SECRET}@host/abc", r"database \(db\) .* is no number"),
        (f"redis://:{SECRET}@host/0#x", r"database \(db\) .* is no number"),
        (f"redis://:{SECRET}@host?db=abc", r"database \(db\) .* is no number"),
        (f"redis://:{SECRET}@host?db=-1", r"database \(db\) .* is no number"),
        (f"redis://:{SECRET}@host/1?db=1", "database twice"),
        (f"redis://:{SECRET}@host?db=1&db=2", "db twice"),
        (f"redis://:{SECRET}@host?password={SECRET}", "password twice"),
        (f"redis://host?password={SECRET}@more", "'@' after an option"),
        (f"redis://host?{SECRET}", "an option that is not known: it can have client_name, db"),
        (f"redis://host?{SECRET}=1", "an option that is not known"),
        ("redis://host?decode_responses=true", "'decode_responses' that is not known: it can have"),
        ("redis://host?socket_timeout=abc", "'socket_timeout' that is not known"),
        ("redis://host?protocol=9", "'protocol' that is not known"),
        ("redis://host?ssl_cert_reqs=none", "ssl_cert_reqs is an option of rediss:// only"),
        ("unix:///a?ssl_keyfile=k", "ssl_keyfile is an option of rediss:// only"),
        (f"rediss://:{SECRET}@host?ssl_cert_reqs=maybe", "ssl_cert_reqs .* is not required or none"),
        ("rediss://host?ssl_check_hostname=perhaps", "is not true or false"),
        ("rediss://host?ssl_keyfile=k", "ssl_keyfile without ssl_certfile"),
        (f"unix://:{SECRET}@", "no path of a socket"),
        (f"unix://:{SECRET}@run/redis.sock", "no path of a socket"),
        ("unix:///a%00b", "no path of a socket"),
        (None, "NoneType, no string"),
        (b"redis://host", "bytes, no string"),
    ],
)
def test_what_is_no_address_is_refused_in_one_line_that_repeats_no_secret(
    text: str, message: str | None
) -> None:
    if message is None:
        assert SECRET not in str(parse_address(text))
        return
    with pytest.raises(TaxohashError, match=message) as caught:
        parse_address(text)
    error: BaseException | None = caught.value
    assert len(str(error).splitlines()) == 1
    while error is not None:
        shown = "".join(traceback.format_exception_only(error)) + repr(error) + repr(error.__dict__)
        assert not any(SECRET[at : at + 3] in shown for at in range(2))
        error = error.__cause__ or error.__context__


@given(st.text())
def test_any_text_is_an_address_or_refused_in_one_line(text: str) -> None:
    for scheme in ("", "redis://", "rediss://:p@", "unix://", "redis://host?"):
        address = answer(partial(parse_address, scheme + text))
        assert address is None or str(address).isprintable()
