import pytest

from services.codestore.connection.errors import (
    ErrorReply,
    FullError,
    NoPermissionError,
    OtherWriteError,
    StaleError,
    StoreUnavailableError,
    TryAgainError,
    explained,
)
from taxohash.errors import TaxohashError

OOM = "OOM command not allowed when used memory > 'maxmemory'. script: f, on @user_function:1."


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("REFUSED item 'x' is bad: mend it", TaxohashError, "^item 'x' is bad: mend it$"),
        ("OTHER write 5 of writer w was another batch: mend it", OtherWriteError, "^write 5 of writer w"),
        ("UNLOADED the functions are not loaded", NoPermissionError, "connect a writer or admin once"),
        ("STALE collection 'c' was removed", StaleError, "^collection 'c' was removed$"),
        ("NOPERM User reader has no permissions to run 'fcall'", NoPermissionError, "give it the right"),
        (
            "ERR ACL failure in script: User x has no permissions to run the 'hset' command",
            NoPermissionError,
            "give it the right",
        ),
        (
            "ERR The user executing the script can't run this command or subcommand script: f",
            NoPermissionError,
            "give it the right",
        ),
        ("NOAUTH Authentication required.", StoreUnavailableError, "right user and password"),
        (OOM, FullError, "`taxohash store gc`, or raise maxmemory"),
        ("MISCONF Errors writing to the AOF file", FullError, "free the disk"),
        ("READONLY You can't write against a read only replica.", StoreUnavailableError, "the primary"),
        ("LOADING Redis is loading the dataset in memory", TryAgainError, "reads its data"),
        ("MASTERDOWN Link with MASTER is down", TryAgainError, "primary"),
        ("BUSY Redis is busy running a script.", TryAgainError, "stop that script"),
        ("CLUSTERDOWN The cluster is down", TryAgainError, "try again"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", TryAgainError, "being moved"),
        ("NOREPLICAS Not enough good replicas to write.", TryAgainError, "min-replicas-to-write"),
        ("ERR Function not found", TryAgainError, "removed again and again"),
        ("ERR unknown command 'FCALL', with args", StoreUnavailableError, "Redis 7.0 or newer"),
        ("ERR something\r\n\x1b[31melse", StoreUnavailableError, "see the log of the server"),
        ("", StoreUnavailableError, "see the log of the server"),
    ],
)
def test_each_error_reply_has_its_remedy_in_one_line(text: str, kind: type, message: str) -> None:
    error = explained(ErrorReply(text), "redis://host:6379/0")
    assert type(error) is kind
    with pytest.raises(kind, match=message):
        raise error
    assert str(error).isprintable()
