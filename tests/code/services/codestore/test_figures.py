"""The figures of several servers are those of the one that is worst off."""

import math

from services.codestore.figures import ServerFigures, worst

FINE = {
    "used_memory": "100", "maxmemory": "400", "rdb_last_save_time": "50", "aof_enabled": "1",
    "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok", "rdb_last_bgsave_status": "ok",
}  # fmt: skip


def test_one_server_tells_its_own() -> None:
    assert worst([FINE]) == ServerFigures(100.0, 400.0, 50.0, 1.0)


def test_of_memory_it_is_the_fullest_and_of_snapshots_the_oldest() -> None:
    large = FINE | {"used_memory": "1000", "maxmemory": "10000", "rdb_last_save_time": "40"}
    small = FINE | {"used_memory": "90", "maxmemory": "100"}
    assert worst([FINE, large, small]) == ServerFigures(90.0, 100.0, 40.0, 1.0)
    unbound = [own | {"maxmemory": "0"} for own in (FINE, large, small)]
    assert worst(unbound) == ServerFigures(1000.0, math.inf, 40.0, 1.0)
    assert worst([large | {"maxmemory": "0"}, FINE]).memory == 100.0  # that has a bound


def test_one_that_does_not_persist_is_told() -> None:
    for name in FINE:
        if name.startswith(("aof_last", "rdb_last_bgsave")):
            assert worst([FINE, FINE | {name: "err"}]).persists == 0.0
    assert worst([FINE, FINE | {"aof_enabled": "0"}]).persists == 0.0


def test_what_an_account_may_not_know_is_no_number() -> None:
    told = worst([{}])
    assert all(map(math.isnan, (told.memory, told.saved, told.persists)))
