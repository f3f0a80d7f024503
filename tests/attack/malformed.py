"""Requests that no honest client sends, as bytes: each part of HTTP and of a form is wrong somewhere.

What is drawn follows from the seed; a longer run begins with what a shorter one had.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, quote_from_bytes

from tests.support.generations import pictures
from tests.support.hostile_ids import HOSTILE_IDS

_HOST = b"Host: localhost\r\n"
_FORM = b"Content-Type: multipart/form-data; boundary=b\r\n"


@dataclass(frozen=True)
class Malformed:
    """A request.

    Attributes:
        kind: of what is wrong with it.
        ended: whether the client says that it sends nothing more.
    """

    kind: str
    raw: bytes
    ended: bool = False

    @property
    def bodiless(self) -> bool:
        """Whether an answer to it has no body, whatever its headers say."""
        return self.raw.lstrip().startswith(b"HEAD ")


def requests(seed: int) -> Iterator[Malformed]:
    """One request after another, for ever."""
    draw = random.Random(seed)
    kinds, weights = [*KINDS], [weight for weight, _ in KINDS.values()]
    while True:
        for kind in draw.choices(kinds, weights, k=1000):
            yield Malformed(kind, KINDS[kind][1](draw), ended=draw.random() < 0.3)


# -- pieces ----------------------------------------------------------------------------------------


@cache
def _picture() -> bytes:
    return pictures(1, seed=9)[0]


def _part(disposition: bytes, content: bytes, more: bytes = b"") -> bytes:
    return b"Content-Disposition: " + disposition + b"\r\n" + more + b"\r\n" + content


def _image(content: bytes | None = None) -> bytes:
    return _part(b'form-data; name="image"; filename="p.png"', _picture() if content is None else content)


def _body(*parts: bytes, boundary: bytes = b"b") -> bytes:
    return (
        b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
    )


def _post(
    body: bytes, headers: bytes = _FORM, *, path: bytes = b"/v1/search", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    return b"POST %s HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n%s" % (path, _HOST, headers, size, body)


def _get(path: bytes, headers: bytes = b"", method: bytes = b"GET") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\n" + _HOST + headers + b"\r\n"


def _noise(draw: random.Random, most: int = 40) -> bytes:
    return draw.randbytes(draw.randrange(1, most))


# -- request lines and headers ---------------------------------------------------------------------

_METHODS = (
    b"get", b"G", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT", b"OPTIONS", b"HEAD", b"PRI", b"PROPFIND", b"POST",
    b"BREW", b"G\0T", b"G\xffT", b"G,T", b"A" * 10_000, b"", b"\t", b"GET GET",
)  # fmt: skip
_PATHS = (
    b"/",
    b"/livez",
    b"/readyz",
    b"/metrics",
    b"/v1/search",
    b"/v1/taxonomy",
    b"/v1/generation",
    b"/v1/examples",
    b"/v1/stats",
    b"/v1/generations",
    b"/v1/openapi.json",
    b"/nowhere",
)
_LINES = (
    b"GET / HTTP/1.1\n\n", b"GET  /  HTTP/1.1\r\n\r\n", b"GET\t/\tHTTP/1.1\r\n\r\n", b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n",
    b"GET\r\n\r\n", b"\r\n", b"\r\n" * 4000, b" \r\n\r\n", b"GET / HTTP/1.1 x\r\n\r\n", b"GET / http/1.1\r\n\r\n", b"/ GET HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", b"GET http://localhost/livez HTTP/1.1\r\n\r\n", b"GET //livez HTTP/1.1\r\n\r\n",
    b"GET http:// HTTP/1.1\r\n\r\n", b"GET http://[::1 HTTP/1.1\r\n\r\n", b"GET https://user:secret@x:99999/ HTTP/1.1\r\n\r\n",
    b"GET ftp://x/ HTTP/1.1\r\n\r\n", b"GET ? HTTP/1.1\r\n\r\n", b"GET # HTTP/1.1\r\n\r\n", b"GET * HTTP/1.1\r\n\r\n", b"GET \\ HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200), b"SSH-2.0-OpenSSH_9.6\r\n", b"*1\r\n$4\r\nPING\r\n", b"\0" * 500, b"EHLO x\r\n",
)  # fmt: skip
_VERSIONS = (
    b"HTTP/1.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/9.9", b"HTTP/1.11", b"HTTP/-1.1", b"HTTP/1", b"HTTP/", b"HTTP",
    b"HTTP/1.1\0", b"HTTP /1.1", b"ICY/1.1", b"", b"HTTP/1.1\t",
)  # fmt: skip
_HEADERS = (
    b"", b"Host\r\n", b"Host:\r\n", b"Host: a\r\nHost: b\r\n", b"Host: a b\r\n", b"Host: \xff\r\n", b"Host: [::1\r\n", b"Host: a:99999\r\n",
    b"Host: a/../b\r\n", b"Host: a\0b\r\n", b"Host : a\r\n", b" Host: a\r\n", b"Host: a\r\n folded\r\n", b"Host: a\r\n\tfolded\r\n",
    b": empty\r\n", b"A B: c\r\n", b"A\0B: c\r\n", b"A: b\0c\r\n", b"A: b\rc\r\n", b"A: b\nC: d\r\n", b"A\xff: b\r\n", b"A: \xff\xfe\r\n", b"no colon\r\n",
    b"A: " + b"x" * 70_000 + b"\r\n", b"X" * 70_000 + b": a\r\n", b"A: b\r\n" * 10_000, b"Cookie: " + b"a=b; " * 3000 + b"\r\n",
    b"Expect: 100-continue\r\n", b"Expect: nothing\r\n", b"Connection: close\r\n", b"Connection: \xff\r\n", b"Connection: keep-alive, close, upgrade\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", b"Upgrade: websocket\r\n", b"TE: trailers\r\n", b"Trailer: x\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n",
    b"Authorization: Bearer\r\n", b"Authorization: \xff\xfe\r\n", b"Authorization: Bearer " + b"x" * 9000 + b"\r\n", b"Authorization: Basic Og==\r\n",
    b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", b"Accept-Encoding: br;q=nan\r\n", b"Accept: \0\r\n", b"Range: bytes=9-1\r\n",
    b"Range: bytes=0-" + b"9" * 400 + b"\r\n", b"Range: bytes=" + b"0-0," * 2000 + b"\r\n", b"Range: \xff\r\n", b"If-Range: x\r\nRange: bytes=0-1\r\n",
    b"If-Modified-Since: \xff\r\n", b"If-Modified-Since: Thu, 99 Foo 99999 99:99:99 GMT\r\n", b"If-None-Match: \"\r\n", b"Origin: null\r\n",
    b"Origin: http://evil\r\nAccess-Control-Request-Method: POST\r\n", b"X-Request-Id: a\x1b[2Jb\r\n", b"X-Request-Id: " + b"x" * 5000 + b"\r\n",
    b"X-Request-Id: \xff\r\n", b"traceparent: 00-\xff-x-01\r\n", b"X-Forwarded-For: " + b"1.2.3.4, " * 500 + b"\r\n", b"X-Forwarded-Proto: \0\r\n",
    b"Forwarded: for=\"\r\n", b"X-HTTP-Method-Override: DELETE\r\n",
)  # fmt: skip


def _line(draw: random.Random) -> bytes:
    match draw.randrange(3):
        case 0:
            return draw.choice(_LINES)
        case 1:
            return draw.choice(_METHODS) + b" " + draw.choice(_PATHS) + b" HTTP/1.1\r\n" + _HOST + b"\r\n"
        case _:
            return b"GET " + draw.choice(_PATHS) + b" " + draw.choice(_VERSIONS) + b"\r\n" + _HOST + b"\r\n"


def _header(draw: random.Random) -> bytes:
    headers = b"".join(draw.sample(_HEADERS, draw.choice((1, 1, 2, 3))))
    if draw.random() < 0.5:
        return b"GET " + draw.choice(_PATHS) + b" HTTP/1.1\r\n" + headers + b"\r\n"
    return _post(_body(_image()), _FORM + headers)


# -- paths, ids, queries ---------------------------------------------------------------------------

_TRICKS = (
    b"%00", b"%0a", b"%0d%0aX-Injected:%201", b"%2e%2e%2f", b"..%2f", b"../", b"..%5c", b"%252e%252e/", b"%c0%ae%c0%ae/", b"%ff", b"%", b"%zz", b"%u0041",
    b"\xc3\xa9", b"\xff", b"\x7f", b"\x01", b"%F0%9F%92%A9", b"%ED%A0%80", b"%E2%80%AE", b";x=y", b"//", b"/./", b"/", b"?", b"#", b"&", b"=", b"+", b"%20",
    b"{}", b"{item}", b"${x}", b"<script>", b"'", b"\"", b"\\", b"|", b"~", b"*", b"a" * 8192, b"%41" * 3000, b"/" * 8000, b"../" * 2000,
)  # fmt: skip
_ROUTES = (
    b"/v1/items/%s/thumbnail", b"/v1/items/%s", b"/v1/items/item%%200/thumbnail%s", b"/v1/items%s", b"/v1/%s", b"/%s", b"/page/%s", b"/v2/items/%s",
    b"/admin%s", b"/v1/search%s", b"/livez%s", b"/metrics%s", b"/readyz/%s", b"/docs%s", b"/openapi.json%s", b"/v1/generation%s",
)  # fmt: skip
_VALUES = (
    b"", b"0", b"-1", b"1", b"1000", b"1001", b"9" * 5000, b"1e3", b"0x10", b"ten", b"%00", b"%0a", b"%ff", b"\xff", b"NaN", b"1.0", b"+1", b"%20", b"%D9%A3", b"[]",
    b"warm", b"warm/red", b"hot", b"///", b"warm%00", b"../warm", b"%E2%80%A8", b"a" * 8000, b"warm/" * 1500, b"'%20or%201=1", b"null", b"true",
)  # fmt: skip


def _path(draw: random.Random) -> bytes:
    trick = b"".join(draw.choices(_TRICKS, k=draw.choice((1, 1, 2, 3))))
    path = draw.choice(_ROUTES).replace(b"%s", trick).replace(b"%%", b"%")
    return _get(
        path, method=draw.choice((b"GET", b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS"))
    )


def _item(draw: random.Random) -> bytes:
    item = draw.choice(HOSTILE_IDS).encode() if draw.random() < 0.5 else _noise(draw, 1500)
    told = (
        quote_from_bytes(item, safe=b"") if draw.random() < 0.7 else quote(item.decode("latin-1"), safe="/%")
    )
    path = (
        b"/v1/items/" + told.encode() + draw.choice((b"/thumbnail", b"/thumbnail", b"", b"/", b"/thumbnail/"))
    )
    return _get(path, method=draw.choice((b"GET", b"GET", b"PUT", b"DELETE", b"PATCH")))


def _query(draw: random.Random) -> bytes:
    names = (
        b"k",
        b"k",
        b"within",
        b"within",
        b"ranking",
        b"image",
        b"K",
        b"",
        b"\xff",
        b"%00",
        b"a" * 3000,
        b"k[]",
        b"k%00",
    )
    pairs = [
        draw.choice(names) + draw.choice((b"=", b"=", b"=", b"", b"==")) + draw.choice(_VALUES)
        for _ in range(draw.choice((1, 1, 2, 3, 40)))
    ]
    query = draw.choice((b"&", b"&", b"&&", b";")).join(pairs)
    if draw.random() < 0.7:
        return _post(_body(_image()), path=b"/v1/search?" + query)
    return _get(draw.choice(_PATHS) + b"?" + query)


# -- content types and bodies ----------------------------------------------------------------------

_TYPES = (
    b"multipart/form-data", b"multipart/form-data;", b"multipart/form-data; boundary", b"multipart/form-data; boundary=", b'multipart/form-data; boundary=""',
    b'multipart/form-data; boundary="b', b"multipart/form-data; boundary='b'", b"multipart/form-data; boundary=b; boundary=c", b"multipart/form-data; boundary=c; boundary=b",
    b"multipart/form-data; boundary*=utf-8''b", b"multipart/form-data; boundary*=b", b"multipart/form-data; boundary*=''", b"multipart/form-data; boundary*=nope''b%ff",
    b"multipart/form-data; boundary*0=b; boundary*1=c", b"multipart/form-data; boundary*0*=utf-8''b", b"multipart/form-data; boundary*9=b", b"multipart/form-data; boundary*=x'y",
    b"multipart/form-data; boundary=\xff", b"multipart/form-data; boundary=\xc3\xa9", b"multipart/form-data; boundary=" + b"b" * 10_000, b"multipart/form-data; boundary=" + b"b" * 71,
    b"multipart/form-data; boundary=b b", b'multipart/form-data; boundary="b\\"b"', b'multipart/form-data; boundary="b\\', b"multipart/form-data; boundary=b\tc", b"multipart/form-data; boundary = b",
    b"multipart/form-data; BOUNDARY=b", b"Multipart/Form-Data; Boundary=b", b"multipart/form-data;boundary=b;charset=nope", b"multipart/form-data; charset=\xff; boundary=b",
    b"multipart/form-data; charset=utf-16; boundary=b", b"multipart/form-data; charset=idna; boundary=b", b"multipart/form-data; charset=undefined; boundary=b", b"multipart/form-data; charset=; boundary=b",
    b"multipart/form-data; charset=\0; boundary=b", b"multipart/form-data; charset=rot13; boundary=b", b"multipart/form-data; charset=hex; boundary=b", b"multipart/form-data; charset=zlib; boundary=b",
    b"multipart/form-data; charset=punycode; boundary=b", b"multipart/form-data; charset=utf-7; boundary=b", b"multipart/form-data; charset=" + b"x" * 4000 + b"; boundary=b",
    b"multipart/form-data, multipart/form-data; boundary=b", b"multipart/form-data; boundary=b, text/plain", b"multipart/mixed; boundary=b", b"multipart/*; boundary=b", b"multipart; boundary=b",
    b"multipart/form-data/x; boundary=b", b"multipart/form-data ; boundary=b", b" ; boundary=b", b"", b";", b"=", b";;;=", b"\xff\xfe;;;=", b"multipart/form-data; =b", b"multipart/form-data; ;;; boundary=b",
    b"multipart/form-data" + b"; a=b" * 5000 + b"; boundary=b", b"multipart/form-data; boundary=--b", b"multipart/form-data; boundary=b--", b"multipart/form-data; boundary=b\x0b", b"multipart/form-data; boundary=b;x*=y",
    b"multipart/form-data; x*=utf-8'en; boundary=b", b"multipart/form-data; x*0*=%; boundary=b", b"multipart/form-data; x*=utf-8''%e2%82; boundary=b", b"multipart/form-data; x*=nope''a; boundary=b",
    b"multipart/form-data; x*a=1; boundary=b", b"multipart/form-data; x*-1=1; boundary=b", b"multipart/form-data; *=1; boundary=b", b"multipart/form-data; **=1; boundary=b", b"multipart/form-data; x*0=1; x*0=2; boundary=b",
    b"multipart/form-data; x*99999999999999999999=1; boundary=b", b"multipart/form-data; x*\xb2=1; boundary=b", b"multipart/form-data; x*0=a; x*=utf-8''b; boundary=b",
    b"application/json", b"application/x-www-form-urlencoded", b"application/vnd.bentoml+pickle", b"image/png", b"text/html; charset=utf-7", b"application/octet-stream", b"*/*", b"application/json; charset=x",
)  # fmt: skip
_DISPOSITIONS = (
    b"form-data", b"form-data; name", b"form-data; name=", b"form-data; name=image", b'form-data; name="image"', b"form-data; name=\"image", b"form-data; filename=p", b'form-data; name=""; filename=""',
    b'form-data; name="image"; filename=""', b'form-data; name="image"; filename*=utf-8\'\'p%ff', b'form-data; name="image"; filename*=nope\'\'p', b"form-data; name*=utf-8''image; filename=p", b'form-data; name="image"; name="k"; filename="p"',
    b'form-data; name="ima\0ge"; filename="p"', b'form-data; name="k%0d%0a"', b'form-data; name="k\n"', b'form-data; name="k\r"', b'form-data; name="\xff"', b'form-data; name="\xff"; filename="\xfe"', b"attachment; name=image; filename=p",
    b"inline", b"", b";", b"=", b'form-data; name="' + b"a" * 10_000 + b'"', b'form-data; name="image"; filename="' + b"p" * 10_000 + b'"', b'form-data; name="image"; filename="../../etc/passwd"', b"form-data; name=\"image\"; filename=\"a\\\"b\"",
    b'form-data; name="image"; filename*0="a"; filename*1="b"', b'form-data; name="image"; filename*x="a"', b'form-data; name*0="k"', b'form-data; name*0*=utf-8\'\'%', b'form-data; name="k"; x*99999999999999999999=1', b'form-data; name="k"; *=1',
    b"form-data; name=k; " + b"a=b; " * 3000,
)  # fmt: skip
_PART_HEADERS = (
    b"", b"Content-Type\r\n", b"Content-Type: \r\n", b"Content-Type: text/plain; charset=nope\r\n", b"Content-Type: text/plain; charset=\xff\r\n", b"Content-Type: multipart/mixed; boundary=c\r\n", b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n", b"Content-Transfer-Encoding: nope\r\n", b"Content-Transfer-Encoding: \xff\r\n", b"X: " + b"y" * 20_000 + b"\r\n", b"X: y\r\n" * 2000, b": x\r\n", b"no colon\r\n", b"A\0: b\r\n", b"A: b\0\r\n", b"A: b\rc\r\n",
    b"\xff: x\r\n", b"Content-Length: 5\r\n", b"Content-Disposition: form-data; name=twice\r\n", b" folded\r\n",
)  # fmt: skip


def _content_type(draw: random.Random) -> bytes:
    kind = draw.choice(_TYPES)
    if draw.random() < 0.3:
        cut = draw.randrange(len(kind) + 1)
        kind = (
            kind[:cut]
            + draw.choice((b";", b"=", b'"', b"\\", b"*", b"'", b"%", b"\t", b" ", b",", b"\xff", b"\0"))
            + kind[cut:]
        )
    headers = b"Content-Type: " + kind + b"\r\n"
    if draw.random() < 0.05:
        headers += b"Content-Type: text/plain\r\n"
    return _post(_body(_image()), headers)


def _form(draw: random.Random) -> bytes:
    """A form that breaks off, or has other parts than it should."""
    whole = _body(_part(b'form-data; name="k"', b"3"), _image())
    match draw.randrange(10):
        case 0 | 1:  # at each of its bytes
            return _post(whole[: draw.randrange(len(whole))])
        case 2:
            return _post(
                _body(_image(), boundary=draw.choice((b"c", b"bb", b"", b"B", b"b ", b"-b", b"b" * 300)))
            )
        case 3:
            part = _part(
                draw.choice(_DISPOSITIONS),
                draw.choice((_picture(), b"3", b"", b"x" * 5000)),
                draw.choice(_PART_HEADERS),
            )
            return _post(_body(part, *draw.choice(((), (_image(),)))))
        case 4:
            inner = _body(_image(), boundary=b"c")
            return _post(
                _body(
                    _part(
                        b'form-data; name="image"; filename="p"',
                        inner,
                        b"Content-Type: multipart/mixed; boundary=c\r\n",
                    )
                )
            )
        case 5:
            count = draw.choice((3, 5, 100, 10_000))
            return _post(
                _body(
                    *[
                        draw.choice(
                            (
                                _part(b"form-data; name=k", b"3"),
                                _image(b"x"),
                                _part(b"form-data; name=x", b""),
                                b"\r\n",
                            )
                        )
                    ]
                    * count
                )
            )
        case 6:
            return _post(
                _body(
                    _part(
                        b"form-data; name=" + draw.choice((b"k", b"within", b"ranking", b"image", b"z")),
                        _noise(draw) * draw.choice((1, 100, 200, 5000)),
                    )
                )
            )
        case 7:
            return _post(
                draw.choice(
                    (
                        b"",
                        b"--",
                        b"--b",
                        b"--b--",
                        b"--b\r\n",
                        b"--b\r\n\r\n",
                        b"--b\r\n\r\n--b--",
                        b"\r\n--b--\r\n",
                        b"--b--\r\n" * 3,
                        b"x",
                        b"\0" * 999,
                        b"--b\n\n--b--\n",
                        b"--b\r\n" * 9000,
                    )
                )
            )
        case 8:
            changed = bytearray(whole)
            for _ in range(draw.choice((1, 2, 5))):
                changed[draw.randrange(len(changed))] = draw.randrange(256)
            return _post(bytes(changed))
        case _:
            value = draw.choice((b"k", b"within", b"ranking"))
            return _post(_body(_part(b"form-data; name=" + value, draw.choice(_VALUES)), _image()))


# -- lengths ---------------------------------------------------------------------------------------


def _chunked(draw: random.Random) -> bytes:
    """A body in chunks, or in what says to be so."""
    body = _body(_image())
    size = b"%x" % len(body)
    start = b"POST /v1/search HTTP/1.1\r\n" + _HOST + _FORM
    how = draw.choice(
        (
            b"chunked",
            b"chunked",
            b"chunked",
            b"Chunked",
            b" chunked",
            b"chunked ",
            b"gzip, chunked",
            b"chunked, gzip",
            b"identity",
            b"xchunked",
            b"chunked\0",
            b'"chunked"',
            b"chunked;q=1",
            b"",
            b"chunked, chunked",
        )
    )
    start += b"Transfer-Encoding: " + how + b"\r\n"
    start += draw.choice(
        (
            b"",
            b"",
            b"",
            b"Content-Length: 5\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: gzip\r\n",
            b"Content-Length: %d\r\n" % len(body),
        )
    )
    chunks = draw.choice(
        (
            size + b"\r\n" + body + b"\r\n0\r\n\r\n", size + b";a=b\r\n" + body + b"\r\n0\r\n\r\n", size + b";" + b"a" * 20_000 + b"\r\n" + body + b"\r\n0\r\n\r\n",
            b"-1\r\n" + body, b"ffffffffffffffff\r\n" + body, b"10000000000000000\r\n" + body, b"0x10\r\n" + body, b"g\r\n" + body, b"\r\n" + body, b"5\n" + body, b" 5\r\n" + body, b"5 \r\n" + body,
            size + b"\r\n" + body + b"0\r\n\r\n", size + b"\r\n" + body[:50], size + b"\n" + body + b"\n0\n\n", b"0" * 5000 + size + b"\r\n" + body + b"\r\n0\r\n\r\n",
            b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n", size + b"\r\n" + body + b"\r\n0\r\nX: y\r\n\r\n", size + b"\r\n" + body + b"\r\n0\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
            size + b"\r\n" + body + b"\r\n0\r\nContent-Length: 9\r\nHost: b\r\n\r\n", b"0\r\n\r\n", b"0\r\n\r\n" + _get(b"/livez"), size + b"\r\n" + body + b"\r\n", b"",
        )
    )  # fmt: skip
    return start + b"\r\n" + chunks


def _length(draw: random.Random) -> bytes:
    """Lengths that contradict each other or the body, or are none."""
    body = _body(_image())
    length = draw.choice(
        (
            b"-1",
            b"+5",
            b"1e3",
            b"0x10",
            b"5, 5",
            b"5, 6",
            b"9" * 20,
            b"9" * 400,
            b"",
            b" ",
            b"5 5",
            b"\xb2",
            b"5\0",
            b"five",
            b"0",
            b"1",
            b"%d" % (len(body) - 1),
            b"%d" % (len(body) + 1),
            b"18446744073709551617",
            b"10485761",
            b"10485760",
        )
    )
    more = draw.choice(
        (
            b"",
            b"",
            b"Content-Length: %d\r\n" % len(body),
            b"Content-Length: 0\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\n",
        )
    )
    return (
        b"POST /v1/search HTTP/1.1\r\n"
        + _HOST
        + _FORM
        + b"Content-Length: "
        + length
        + b"\r\n"
        + more
        + b"\r\n"
        + body
    )


# -- JSON ------------------------------------------------------------------------------------------

_JSON = (
    b"", b"null", b"[]", b"{}", b'"x"', b"{", b"[" * 100_000, b'{"id":' * 20_000, b'{"id": ' + b"[" * 60_000, b'{"k": ' + b"9" * 5000 + b', "id": "x"}', b'{"k": 1e400, "id": "x"}',
    b'{"radius": -0.0, "code": "00"}', b'{"radius": NaN, "code": "00"}', b'{"id": "x", "id": "y"}', b'{"id": "\\ud800"}', b'{"id": "\\u0000"}', b'{"id": "\xff"}', b"\xef\xbb\xbf{}",
    '{"id": "x"}'.encode("utf-16"), b'{"queries": []}', b'{"queries": [' + b"{}," * 70_000 + b"{}]}", b'{"queries": [' + b'{"id": "x"},' * 64 + b'{"id": "x"}]}', b'{"queries": [[[]], 1, null, "x"]}',
    b'{"image": ""}', b'{"image": "="}', b'{"image": "' + b"A" * 400_000 + b'"}', b'{"image": "' + b'\\"' * 100_000, b'{"image": {"image": "x"}}', b'{"code": "zz"}', b'{"code": ""}', b'{"code": "' + b"0" * 100_000 + b'"}',
    b'{"code": "00", "within": ["", "/", "a/b"]}', b'{"code": "00", "tags": [' + b'"a",' * 3000 + b'"a"]}', b'{"code": "00", "group_by": "\\n"}', b'{"id": "x", "token": "0"}', b'{"__proto__": {}, "id": "x"}', b'{"id": "x"}}',
    b"{'id': 'x'}", b'{"id": "x",}', b'// x\n{"id": "x"}', b'{"id": tru}', b'{"id": 01}', b'{"id": "' + b"x" * 5000 + b'"}', b"0" * 100_000, b" " * 200_000 + b'{"id": "x"}',
)  # fmt: skip


def _json(draw: random.Random) -> bytes:
    body = draw.choice(_JSON)
    if draw.random() < 0.3 and body:
        cut = draw.randrange(len(body))
        body = (
            body[:cut] + draw.choice((b"{", b"]", b'"', b"\\", b",", b":", b"\xff", b"\0", b"1")) + body[cut:]
        )
    path = draw.choice(
        (b"/v1/search", b"/v1/search", b"/v1/encode", b"/v1/rollback", b"/v1/generations/x/publish")
    )
    return _post(body, b"Content-Type: application/json\r\n", path=path)


# -- any bytes -------------------------------------------------------------------------------------


def _spoilt(draw: random.Random) -> bytes:
    """Any request with bytes changed, left out or put in; or any bytes."""
    raw = bytearray(
        draw.choice((_get(draw.choice(_PATHS)), _post(_body(_image())), _item(draw), _header(draw)[:5000]))
    )
    match draw.randrange(5):
        case 0:
            return bytes(raw[: draw.randrange(len(raw))])
        case 1:
            return draw.randbytes(draw.choice((1, 10, 500)))
        case 2:
            cut = draw.randrange(len(raw))
            return bytes(raw[:cut]) + _noise(draw) + bytes(raw[cut:])
        case 3:
            return bytes(raw) + draw.randbytes(30)
        case _:
            for _ in range(draw.choice((1, 2, 8))):
                raw[draw.randrange(min(len(raw), 200))] = draw.randrange(256)
            return bytes(raw)


KINDS: dict[str, tuple[float, Callable[[random.Random], bytes]]] = {
    "request line": (0.08, _line),
    "header": (0.12, _header),
    "path": (0.14, _path),
    "item": (0.10, _item),
    "query": (0.08, _query),
    "content type": (0.13, _content_type),
    "form": (0.13, _form),
    "json": (0.06, _json),
    "chunked": (0.06, _chunked),
    "length": (0.05, _length),
    "spoilt": (0.05, _spoilt),
}
