"""Every TAXOHASH_* variable: its name, form, default and meaning. docs/api.md is made of this."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from taxohash.errors import TaxohashError

MIB = 1024 * 1024
LEAST_CHARACTERS = 16  # of a secret or token that somebody chooses
T = TypeVar("T")


@dataclass(frozen=True)
class Form(Generic[T]):
    """How a value is written.

    Attributes:
        wanted: what to set a variable to, in words.
        parse: from its text. ValueError: it is not of this form.
    """

    wanted: str
    parse: Callable[[str], T]


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A variable of the environment.

    Attributes:
        default: what it is where it is not set, or blank.
        meaning: what is told of it in the documentation.
        shown: the default in words, where its value does not say it.
        secret: its value is in no message.
    """

    name: str
    form: Form[T]
    default: T
    meaning: str
    shown: str = ""
    secret: bool = False

    def of(self, environment: Mapping[str, str] = os.environ) -> T:
        """Its value.

        Raises:
            TaxohashError: it is set to what cannot be.
        """
        text = environment.get(self.name, "").strip()
        if not text:
            return self.default
        try:
            return self.form.parse(text)
        except ValueError:
            value = "set to something else" if self.secret else repr(text)
            raise TaxohashError(f"{self.name} is {value}: set it to {self.form.wanted}") from None


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise ValueError(text)
    return int(text)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.0 < value <= 3600.0:  # not a number compares false
        raise ValueError(text)
    return value


def _pause(text: str) -> float:
    value = float(text)
    return value if value == 0.0 else _seconds(text)


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def _duration(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)([smhd]?)", text)
    if found is None:
        raise ValueError(text)
    return float(found[1]) * _UNITS[found[2]]


def _hard_to_guess(text: str) -> str:
    if len(text) < LEAST_CHARACTERS:
        raise ValueError
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _one_of(*words: str) -> Form[str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Form(" or ".join(words), parse)


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise ValueError(text)
    return value


WHOLE = Form("a whole number of at least 1", _whole)
SECONDS = Form("a number of seconds above 0, at most 3600", _seconds)
PAUSE = Form("a number of seconds up to 3600, or 0 for never", _pause)
MAYBE_SECONDS: Form[float | None] = Form(SECONDS.wanted, _seconds)
DURATION = Form("a time such as 90s, 15m, 24h or 7d", _duration)
SHARE = Form("a number from 0 to 1", _share)
TEXT = Form("a text", str)
MAYBE_TEXT: Form[str | None] = Form(TEXT.wanted, str)
MAYBE_SECRET: Form[str | None] = Form(f"a text of at least {LEAST_CHARACTERS} characters", _hard_to_guess)
WORDS = Form("words with spaces or commas between them", _words)
COMMAND = Form("words as a shell reads them", lambda text: tuple(shlex.split(text)))
ADDRESSES = Form("addresses with spaces between them", lambda text: tuple(text.split()))

# -- where things are -------------------------------------------------------------------------------------------------

CODESTORE = Setting(
    "TAXOHASH_CODESTORE", MAYBE_TEXT, None,
    "host of the code store, for an address that names none, such as redis://reader:secret@:6379/0: in a cluster the address is a Secret, and the host the name of a Service",
    "this machine",
)  # fmt: skip


class StoreAddress(Setting[str | None]):
    """An address of the code store, whose host may be told apart."""

    def of(self, environment: Mapping[str, str] = os.environ) -> str | None:
        url, host = super().of(environment), CODESTORE.of(environment)
        if not url or not host:
            return url
        return re.sub(r"^(rediss?://(?:[^@/?#]*@)?)(?=[:/?#]|$)", lambda found: found[1] + host, url)


REDIS_URL = StoreAddress(
    "TAXOHASH_REDIS_URL", MAYBE_TEXT, None,
    "address of the code store: redis://, rediss:// or unix://, with user and password in it, or memory://",
    "the user's own store, which all commands share; on a pod there is none", secret=True,
)  # fmt: skip
ADMIN_REDIS_URL = StoreAddress(
    "TAXOHASH_ADMIN_REDIS_URL", MAYBE_TEXT, None,
    "address of the code store with the account of an admin, by which the service publishes and goes back for API keys of that role",
    "none: it does neither", secret=True,
)  # fmt: skip
COLLECTION = Setting(
    "TAXOHASH_COLLECTION",
    TEXT,
    "default",
    "the collection of the code store that is served, filled and shown",
)
GENERATION = Setting(
    "TAXOHASH_GENERATION",
    MAYBE_TEXT,
    None,
    "folder of a generation that is at hand",
    "the one packed in the Bento",
)
GENERATIONS = Setting(
    "TAXOHASH_GENERATIONS", MAYBE_TEXT, None,
    "where generations lie, each under its id: a folder or s3://bucket/prefix; pipelines put them there, services load what is published",
    "with the user's own store the folder taxohash/generations among the user's data, else only the generation at hand can be served",
)  # fmt: skip
PIN = Setting(
    "TAXOHASH_PIN",
    MAYBE_TEXT,
    None,
    "id of a generation that is served whatever is published",
    "what is published is followed",
)
PICTURES = Setting(
    "TAXOHASH_PICTURES", MAYBE_TEXT, None, "where originals and thumbnails lie: a folder or s3://bucket/prefix",
    "the folder taxohash/pictures among the user's data",
)  # fmt: skip
URI_PREFIXES = Setting(
    "TAXOHASH_URI_PREFIXES",
    ADDRESSES,
    (),
    "beginnings of the URIs from which a backfill may fetch pictures",
    "none",
)
CACHE = Setting(
    "TAXOHASH_CACHE", MAYBE_TEXT, None, "folder for what was fetched: data sets, and generations from s3://",
    "taxohash in $XDG_CACHE_HOME or ~/.cache",
)  # fmt: skip

# -- signed generations -----------------------------------------------------------------------------------------------

VERIFY_KEY = Setting(
    "TAXOHASH_VERIFY_KEY", MAYBE_TEXT, None,
    "file of public keys (PEM, EC), or a folder of such files: what none of them has signed is neither served nor encoded with; read again at each load",
    "signed or not, a generation is served",
)  # fmt: skip
SIGN_KEY = Setting(
    "TAXOHASH_SIGN_KEY", MAYBE_TEXT, None,
    "file of a private key (PEM, EC) that signs the generations that `taxohash export` and the pipelines make", "they are not signed",
)  # fmt: skip
SIGN_PASSPHRASE = Setting(
    "TAXOHASH_SIGN_PASSPHRASE", MAYBE_TEXT, None, "opens that key where it is encrypted", "none", secret=True
)  # fmt: skip
SIGN_PASSPHRASE_FILE = Setting(
    "TAXOHASH_SIGN_PASSPHRASE_FILE",
    MAYBE_TEXT,
    None,
    "file with that passphrase, where TAXOHASH_SIGN_PASSPHRASE is not set",
    "none",
)

# -- what a request may take ------------------------------------------------------------------------------------------

MAX_BODY_BYTES = Setting("TAXOHASH_MAX_BODY_BYTES", WHOLE, 10 * MIB, "bytes of the body of a request")
MAX_PIXELS = Setting(
    "TAXOHASH_MAX_PIXELS", WHOLE, 16_000_000, "width times height of a picture, as its header says"
)
MAX_SIDE = Setting("TAXOHASH_MAX_SIDE", WHOLE, 20_000, "width and height of a picture")
UPLOAD_SECONDS = Setting("TAXOHASH_UPLOAD_SECONDS", SECONDS, 15.0, "in which a body must have arrived")
UPLOAD_RATE = Setting(
    "TAXOHASH_UPLOAD_RATE",
    WHOLE,
    8192,
    "bytes a second at which a body must arrive, after the first two seconds",
)
MAX_UPLOADS = Setting(
    "TAXOHASH_MAX_UPLOADS", WHOLE, 64, "bodies that arrive at once; the slowest makes way for another"
)
UPLOADS_BYTES = Setting(
    "TAXOHASH_UPLOADS_BYTES", WHOLE, 128 * MIB, "bytes of all bodies that are held at once"
)
MAX_REQUESTS = Setting(
    "TAXOHASH_MAX_REQUESTS", WHOLE, 32, "searches under way, from the end of their body; others get 429"
)
DECODERS = Setting(
    "TAXOHASH_DECODERS", WHOLE, 2, "processes that decode ordinary pictures; one more decodes large ones"
)
DECODE_SECONDS = Setting("TAXOHASH_DECODE_SECONDS", SECONDS, 5.0, "in which a large picture must be decoded")
THREADS = Setting("TAXOHASH_THREADS", WHOLE, 2, "threads that encode and search")
ANSWER_SECONDS = Setting("TAXOHASH_ANSWER_SECONDS", SECONDS, 10.0, "from the end of the body to the answer")
STORE_SECONDS = Setting(
    "TAXOHASH_STORE_SECONDS",
    SECONDS,
    5.0,
    "in which the stores must have answered, for thumbnails among others",
)
MAX_K = Setting("TAXOHASH_MAX_K", WHOLE, 1000, "answers to one search")

# -- who may ask ------------------------------------------------------------------------------------------------------

API_KEYS_FILE = Setting(
    "TAXOHASH_API_KEYS_FILE", MAYBE_TEXT, None, "file with the digests of API keys, see `taxohash keys`; read again when it changes",
    "no keys: on loopback searches and writes are open, elsewhere the start is refused",
)  # fmt: skip
ALLOW_ANONYMOUS = Setting(
    "TAXOHASH_ALLOW_ANONYMOUS", _one_of("search", "write"), "", "what is open to everybody: search, or write, which has search in it",
    "nothing",
)  # fmt: skip
CORS_ORIGINS = Setting(
    "TAXOHASH_CORS_ORIGINS",
    WORDS,
    (),
    "web pages that may call the service from a browser, such as https://shop.example",
    "none",
)
API_KEY = Setting(
    "TAXOHASH_API_KEY",
    MAYBE_TEXT,
    None,
    "key that commands such as `taxohash search` and `put` send to a service",
    "none",
    secret=True,
)
API_KEY_FILE = Setting(
    "TAXOHASH_API_KEY_FILE", MAYBE_TEXT, None, "file with that key, where TAXOHASH_API_KEY is not set", "none"
)

# -- connections ------------------------------------------------------------------------------------------------------

MAX_CONNECTIONS = Setting(
    "TAXOHASH_MAX_CONNECTIONS",
    WHOLE,
    2000,
    "connections at once; one that waits for its client makes way for another",
)
HEADER_SECONDS = Setting(
    "TAXOHASH_HEADER_SECONDS", SECONDS, 10.0, "in which the headers of a request must have arrived"
)
KEEPALIVE_SECONDS = Setting(
    "TAXOHASH_KEEPALIVE_SECONDS", SECONDS, 30.0, "for which a connection without a request is kept"
)
DRAIN_SECONDS = Setting(
    "TAXOHASH_DRAIN_SECONDS", SECONDS, 20.0, "for requests under way when the service is told to end"
)
STALE_SECONDS = Setting(
    "TAXOHASH_STALE_SECONDS", MAYBE_SECONDS, None,
    "age of the codes from which a service that cannot reach its store is not ready", "searches go on, whatever their age",
)  # fmt: skip
LAG_SECONDS = Setting(
    "TAXOHASH_LAG_SECONDS",
    SECONDS,
    30.0,
    "for which a write may be unread while the store answers, before the service is not ready",
)
CANARY_SECONDS = Setting(
    "TAXOHASH_CANARY_SECONDS", PAUSE, 60.0,
    "from one round to the next in which a generation's canaries are looked for among the items; more where a hundredth of a core asks for it",
)  # fmt: skip
SEARCH_OBJECTIVE = Setting(
    "TAXOHASH_SEARCH_OBJECTIVE",
    SECONDS,
    0.5,
    "from the end of the body, in which a search should be answered: counted, and what the alert about slow searches is about",
)
LOG = Setting("TAXOHASH_LOG", _one_of("json", "text"), "json", "form of the log")

# -- sampling of queries ----------------------------------------------------------------------------------------------

SAMPLE_SHARE = Setting(
    "TAXOHASH_SAMPLE_SHARE", SHARE, 0.0,
    "of the searches by picture, drawn by chance, whose picture is kept in the picture store, with what was answered", "0: no picture is kept",
)  # fmt: skip
SAMPLE_CAP = Setting(
    "TAXOHASH_SAMPLE_CAP", WHOLE, 10_000, "sampled queries that are kept; the oldest makes way"
)
SAMPLE_BYTES = Setting(
    "TAXOHASH_SAMPLE_BYTES", WHOLE, 1024 * MIB, "bytes of all sampled queries that are kept; the oldest makes way"
)  # fmt: skip
SAMPLE_TTL = Setting(
    "TAXOHASH_SAMPLE_TTL", DURATION, 30 * 86_400.0, "time after which a sampled query is removed", "30d"
)

# -- the trigger ------------------------------------------------------------------------------------------------------

TRIGGER_URL = Setting(
    "TAXOHASH_TRIGGER_URL", TEXT, "http://127.0.0.1:3100", "address at which `taxohash pipeline schedule` finds the trigger"
)  # fmt: skip
TRIGGER_TOKEN_FILE = Setting(
    "TAXOHASH_TRIGGER_TOKEN_FILE", MAYBE_TEXT, None,
    "file with a token a line, of which Alertmanager and others send one as a bearer or a password; read again at each request",
    "no token: the trigger is open on loopback, elsewhere the start is refused",
)  # fmt: skip
TRIGGER_COMMAND = Setting(
    "TAXOHASH_TRIGGER_COMMAND", COMMAND, (sys.executable, "-m", "taxohash.cli", "pipeline", "run"),
    "command that makes a run, here; on Kubeflow `taxohash pipeline submit`; with `approve` for its last word it publishes", "taxohash pipeline run",
)  # fmt: skip
TRIGGER_OPTIONS = Setting(
    "TAXOHASH_TRIGGER_OPTIONS", COMMAND, (), "further options of every run, such as --data sets/birds or --remote s3://bucket/data"
)  # fmt: skip
TRIGGER_RETRAIN_OPTIONS = Setting(
    "TAXOHASH_TRIGGER_RETRAIN_OPTIONS", COMMAND, (), "further options of retrainings, such as --bits 32"
)
TRIGGER_DRIFT_OPTIONS = Setting(
    "TAXOHASH_TRIGGER_DRIFT_OPTIONS", COMMAND, (), "options of checks for drift, instead of those of every run, such as --policy hours=24"
)  # fmt: skip
TRIGGER_FOLDER = Setting(
    "TAXOHASH_TRIGGER_FOLDER", MAYBE_TEXT, None, "where runs that the trigger began leave what they print",
    "the folder taxohash/trigger among the user's data",
)  # fmt: skip
TRIGGER_REPOSITORY = Setting(
    "TAXOHASH_TRIGGER_REPOSITORY", MAYBE_TEXT, None, "git repository whose data.dvc names the data version: a URL or a folder",
    "none: every reason may start a run, whatever the data", secret=True,
)  # fmt: skip
TRIGGER_BRANCH = Setting(
    "TAXOHASH_TRIGGER_BRANCH", MAYBE_TEXT, None, "branch or tag of it that is watched", "its HEAD"
)
TRIGGER_TRACKED = Setting(
    "TAXOHASH_TRIGGER_TRACKED", TEXT, "data.dvc", "path in the repository of the file that DVC made of the data set"
)  # fmt: skip
TRIGGER_POLL = Setting("TAXOHASH_TRIGGER_POLL", DURATION, 60.0, "time between two looks at the repository")
TRIGGER_COOL_DOWN = Setting(
    "TAXOHASH_TRIGGER_COOL_DOWN", DURATION, 3600.0, "time after a retraining in which no other begins"
)
TRIGGER_RETRY = Setting(
    "TAXOHASH_TRIGGER_RETRY", DURATION, 300.0, "time after a run that broke before it is tried again"
)
TRIGGER_ATTEMPTS = Setting("TAXOHASH_TRIGGER_ATTEMPTS", WHOLE, 3, "how often a run that breaks is tried")
TRIGGER_RUNS_A_DAY = Setting("TAXOHASH_TRIGGER_RUNS_A_DAY", WHOLE, 12, "runs of each pipeline in 24 hours")
TRIGGER_ASK_FIRST = Setting(
    "TAXOHASH_TRIGGER_ASK_FIRST", WORDS, (),
    "kinds of reasons that start nothing before a person has asked for the run too: alert, schedule, data", "none",
)  # fmt: skip
TRIGGER_GIT_SECRET = Setting(
    "TAXOHASH_TRIGGER_GIT_SECRET", MAYBE_SECRET, None, "with which a git host signs its webhook, or which it sends as a token",
    "none: /v1/git is closed", secret=True,
)  # fmt: skip
APPROVAL_SECRET = Setting(
    "TAXOHASH_APPROVAL_SECRET", MAYBE_SECRET, None, "with which links to approve a generation are signed", "none: there are no such links",
    secret=True,
)  # fmt: skip
APPROVAL_URL = Setting(
    "TAXOHASH_APPROVAL_URL", MAYBE_TEXT, None, "address of the trigger as people reach it, with which those links begin", "none: there are no such links"
)  # fmt: skip

# -- Kubeflow, by the names that its own client reads, where it reads any ----------------------------------------------

KF_PIPELINES_ENDPOINT = Setting(
    "KF_PIPELINES_ENDPOINT", MAYBE_TEXT, None, "address of Kubeflow Pipelines, such as https://kubeflow.example/pipeline",
    "none: `taxohash pipeline submit` is refused",
)  # fmt: skip
KF_PIPELINES_UI_ENDPOINT = Setting(
    "KF_PIPELINES_UI_ENDPOINT", MAYBE_TEXT, None, "address of its pages, in links to runs", "KF_PIPELINES_ENDPOINT"
)  # fmt: skip
KF_PIPELINES_NAMESPACE = Setting(
    "KF_PIPELINES_NAMESPACE", MAYBE_TEXT, None, "in which runs run, where Kubeflow has several users", "taxohash"
)  # fmt: skip
KF_PIPELINES_TOKEN = Setting(
    "KF_PIPELINES_TOKEN", MAYBE_TEXT, None, "bearer token", "none", secret=True,
)  # fmt: skip
KF_PIPELINES_SA_TOKEN_PATH = Setting(
    "KF_PIPELINES_SA_TOKEN_PATH", MAYBE_TEXT, None, "file with the bearer token, read again before each request",
    "/var/run/secrets/kubeflow/pipelines/token, where that is",
)  # fmt: skip
KF_PIPELINES_COOKIES = Setting(
    "KF_PIPELINES_COOKIES", MAYBE_TEXT, None, "cookies of a session, such as authservice_session=...", "none", secret=True,
)  # fmt: skip
KF_PIPELINES_CA_CERT = Setting(
    "KF_PIPELINES_CA_CERT", MAYBE_TEXT, None, "file with the certificates that vouch for Kubeflow's", "those of the certifi package"
)  # fmt: skip

IMAGE = Setting(
    "TAXOHASH_IMAGE", MAYBE_TEXT, None, "image in which steps run on Kubeflow", "the one that the compiled pipeline names"
)  # fmt: skip

# -- elsewhere --------------------------------------------------------------------------------------------------------

READER_PASSWORD = Setting(
    "TAXOHASH_READER_PASSWORD", MAYBE_TEXT, None, "of the store's account `reader`, for `python -m services.codestore.accounts`",
    "made by chance", secret=True,
)  # fmt: skip
WRITER_PASSWORD = Setting(
    "TAXOHASH_WRITER_PASSWORD", MAYBE_TEXT, None, "of the account `writer`", "made by chance", secret=True
)
ADMIN_PASSWORD = Setting(
    "TAXOHASH_ADMIN_PASSWORD", MAYBE_TEXT, None, "of the account `admin`", "made by chance", secret=True
)
EXPORTER_PASSWORD = Setting(
    "TAXOHASH_EXPORTER_PASSWORD", MAYBE_TEXT, None, "of the account `exporter`", "made by chance", secret=True
)
CLUSTER_PASSWORD = Setting(
    "TAXOHASH_CLUSTER_PASSWORD", MAYBE_TEXT, None, "of the account `cluster`", "made by chance", secret=True
)
TTY = Setting(
    "TAXOHASH_TTY",
    MAYBE_TEXT,
    None,
    "terminal to which steps of a local pipeline write their progress",
    "standard error",
)

EVENTS = Setting(
    "TAXOHASH_EVENTS", MAYBE_TEXT, None, "folder in which steps of a pipeline tell when they start and end",
    "of a cluster's pods, /work/events",
)  # fmt: skip
RUN_ID = Setting("TAXOHASH_RUN_ID", MAYBE_TEXT, None, "name of the file there", "nothing is told")
NOTIFY_URL = Setting(
    "TAXOHASH_NOTIFY_URL", MAYBE_TEXT, None, "webhook that is told what came of each run of a pipeline, and what the trigger waits for, in Slack's form",
    "nobody is told", secret=True,
)  # fmt: skip

SECTIONS: dict[str, tuple[Setting, ...]] = {  # type: ignore[type-arg]  # of any type
    "Where things are": (REDIS_URL, ADMIN_REDIS_URL, CODESTORE, COLLECTION, GENERATION, GENERATIONS, PIN, PICTURES, URI_PREFIXES, CACHE),
    "Signed generations": (VERIFY_KEY, SIGN_KEY, SIGN_PASSPHRASE, SIGN_PASSPHRASE_FILE),
    "What a request may take": (
        MAX_BODY_BYTES, MAX_PIXELS, MAX_SIDE, UPLOAD_SECONDS, UPLOAD_RATE, MAX_UPLOADS, UPLOADS_BYTES, MAX_REQUESTS,
        DECODERS, DECODE_SECONDS, THREADS, ANSWER_SECONDS, STORE_SECONDS, MAX_K,
    ),
    "Who may ask": (API_KEYS_FILE, ALLOW_ANONYMOUS, CORS_ORIGINS, API_KEY, API_KEY_FILE),
    "Connections and health": (
        MAX_CONNECTIONS, HEADER_SECONDS, KEEPALIVE_SECONDS, DRAIN_SECONDS, LAG_SECONDS, STALE_SECONDS, SEARCH_OBJECTIVE,
        CANARY_SECONDS, LOG,
    ),
    "Sampling of queries": (SAMPLE_SHARE, SAMPLE_CAP, SAMPLE_BYTES, SAMPLE_TTL),
    "The trigger": (
        TRIGGER_URL, TRIGGER_TOKEN_FILE, TRIGGER_COMMAND, TRIGGER_OPTIONS, TRIGGER_RETRAIN_OPTIONS, TRIGGER_DRIFT_OPTIONS, TRIGGER_FOLDER, TRIGGER_REPOSITORY, TRIGGER_BRANCH,
        TRIGGER_TRACKED,
        TRIGGER_POLL, TRIGGER_COOL_DOWN, TRIGGER_RETRY, TRIGGER_ATTEMPTS, TRIGGER_RUNS_A_DAY, TRIGGER_ASK_FIRST, TRIGGER_GIT_SECRET,
        APPROVAL_SECRET, APPROVAL_URL,
    ),
    "Pipelines": (NOTIFY_URL, EVENTS, RUN_ID, TTY),
    "Kubeflow": (
        KF_PIPELINES_ENDPOINT, KF_PIPELINES_UI_ENDPOINT, KF_PIPELINES_NAMESPACE, KF_PIPELINES_TOKEN, KF_PIPELINES_SA_TOKEN_PATH, KF_PIPELINES_COOKIES,
        KF_PIPELINES_CA_CERT, IMAGE,
    ),
    "Elsewhere": (READER_PASSWORD, WRITER_PASSWORD, ADMIN_PASSWORD, EXPORTER_PASSWORD, CLUSTER_PASSWORD),
}  # fmt: skip
# What was read once: the start is refused, as a service that was closed must not be open.
GONE = dict.fromkeys(
    ("TAXOHASH_API_TOKEN", "TAXOHASH_API_TOKEN_FILE"),
    "make a key with `taxohash keys add`, and name its file in TAXOHASH_API_KEYS_FILE",
)


def refuse_gone(environment: Mapping[str, str] = os.environ) -> None:
    """Make sure that nothing is set which is not read any more, and would be missed.

    Raises:
        TaxohashError: it is.
    """
    for name, instead in GONE.items():
        if name in environment:
            raise TaxohashError(f"{name} is not read any more: {instead}")
