"""The function library as text."""

import re

from services.codestore.functions import FREEING, LIBRARY, SOURCE, full_name, script


def test_functions_carry_their_version() -> None:
    assert SOURCE.startswith(f"#!lua name={LIBRARY}\n")
    version = LIBRARY.removeprefix("taxohash_")
    assert re.fullmatch("[0-9a-f]{12}", version)
    assert full_name("point") == f"point_{version}"


def test_what_gives_room_back_works_where_there_is_none() -> None:
    assert {
        "delete_items",
        "drop",
        "sweep",
        "compact",
        "discard",
        "forget",
        "point",
        "revive",
        "let_go",
    } <= FREEING
    assert not FREEING & {"write_items", "fill", "put_codes", "begin", "make_segment", "hold", "quarantine"}
    assert script("drop").startswith("#!lua flags=allow-oom\n")
    assert script("drop") == script("sweep") != script("page")  # a server keeps each that it has run


def test_nothing_but_the_declared_keys_is_used() -> None:
    commands = set(re.findall(r"redis\.call\('(\w+)'", SOURCE))
    keys = set(re.findall(r"redis\.call\('\w+', ([\w.]+(?:\[\d\])?)", SOURCE))
    assert commands <= {
        *("HDEL", "HEXISTS", "HGET", "HINCRBY", "HLEN", "HMGET", "HSET", "PUBLISH", "TIME", "UNLINK"),
        *("XADD", "XRANGE", "XREVRANGE", "XTRIM"),
    }
    assert keys <= {"keys[1]", "keys[2]", "keys[3]", "segment", "sheet.key", "key", "collection"}
