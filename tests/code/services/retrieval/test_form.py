"""Forms as clients write them, and as nobody should; beside what the standard library's reader of mail makes of them."""

import re
from email.parser import BytesParser
from email.policy import HTTP

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from services.retrieval.form import (
    MAX_HEADER_BYTES,
    MAX_PARTS,
    MAX_TEXT_BYTES,
    Part,
    boundary_of,
    kind_of,
    parts_of,
)
from services.web.refused import RefusedError

FILE = b'Content-Disposition: form-data; name="image"; filename="x.png"'
TEXT = b'Content-Disposition: form-data; name="k"'


def form(*parts: bytes, boundary: bytes = b"b") -> bytes:
    """Parts, each with its headers, as RFC 2046 frames them."""
    return b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts) + b"--%s--\r\n" % boundary


def sentence_of(body: bytes, boundary: bytes = b"b") -> str:
    with pytest.raises(RefusedError) as refused:
        parts_of(body, boundary)
    assert (refused.value.status, refused.value.reason) == (400, "form")
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert len(sentence) < 400
    return sentence


@pytest.mark.parametrize(
    "frame",
    [
        b"%s",
        b"a preamble\r\n%s",
        b"\r\n%s",
        b"%sand an epilogue",
        b"%s\r\n--b\r\nnot a part any more",
    ],
)
def test_what_stands_before_and_after_is_passed_over(frame: bytes) -> None:
    body = frame % form(
        TEXT + b"\r\n\r\n7", FILE + b"\r\nContent-Type: image/png\r\n\r\n\r\n\x00--b\r\n--c\r\n"
    )
    assert parts_of(body, b"b") == [Part("k", False, b"7"), Part("image", True, b"\r\n\x00--b\r\n--c\r\n")]


def test_padding_after_boundaries_and_a_last_line_without_its_end_are_read() -> None:
    assert parts_of(b"--b \t\r\n" + FILE + b"\r\n\r\nx\r\n--b-- ", b"b") == [Part("image", True, b"x")]
    assert parts_of(b"--b\r\n" + FILE + b"\r\n\r\n\r\n--b--", b"b") == [Part("image", True, b"")]
    assert parts_of(b"--b--", b"b") == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "does not end with its boundary"),
        (b"no form at all", "does not end with its boundary"),
        (b"--b\r\n", "does not end with its boundary"),
        (form(FILE + b"\r\n\r\nx")[:-4], "does not stand on a line of its own"),
        (form(FILE + b"\r\n\r\nx")[:-6], "does not end with its boundary"),
        (b"\n" + form(FILE + b"\r\n\r\nx"), "does not stand on a line of its own"),
        (form(FILE + b"\r\n\r\nx\n--b\r\ny"), "does not stand on a line of its own"),
        (b"--b\n" + FILE + b"\n\nx\n--b--\n", "does not stand on a line of its own"),
        (form(FILE + b"\r\n\r\nabout\r\n--bees"), "does not stand on a line of its own"),
        (form(b""), "no Content-Disposition"),
        (form(b"\r\nx"), "no Content-Disposition"),
        (form(FILE), "no Content-Disposition"),
        (form(b"Content-Type: image/png\r\n\r\nx"), "no Content-Disposition"),
        (form(b"Content-Disposition: form-data\r\n\r\nx"), "with one name"),
        (form(b'Content-Disposition: attachment; name="image"; filename="x"\r\n\r\nx'), "with one name"),
        (form(b'Content-Disposition: form-data; name="k"; name="image"\r\n\r\nx'), "with one name"),
        (form(b"Content-Disposition: form-data; name*=utf-8''image\r\n\r\nx"), "with one name"),
        (form(b'Content-Disposition: form-data; name="image\r\n\r\nx'), "with one name"),
        (form(FILE + b"\r\n" + FILE + b"\r\n\r\nx"), "given twice"),
        (form(FILE + b"\r\n continued: header\r\n\r\nx"), "malformed"),
        (form(FILE + b"\r\nno header\r\n\r\nx"), "malformed"),
        (form(FILE + b"\r\nX: a\0b\r\n\r\nx"), "malformed"),
        (form(FILE + b"\r\nX: a\rb\r\n\r\nx"), "malformed"),
        (form(FILE + b"\r\nX: " + b"a" * MAX_HEADER_BYTES + b"\r\n\r\nx"), "bytes of headers"),
        (form(b"a" * 100_000), "bytes of headers"),
        (form(FILE + b"\r\nContent-Transfer-Encoding: base64\r\n\r\neA=="), "is encoded as 'base64'"),
        (form(FILE + b"\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\nx"), "encoded as"),
        (form(TEXT + b"\r\n\r\n" + b"7" * (MAX_TEXT_BYTES + 1)), "text, as it has no filename, and has 4097 bytes"),
        (form(*[TEXT + b"\r\n\r\n7"] * 10_000), f"more than {MAX_PARTS} parts"),
    ],
)  # fmt: skip
def test_what_is_no_form_is_said_in_one_sentence(body: bytes, told: str) -> None:
    assert told in sentence_of(body)


def test_the_limits_are_exact() -> None:
    assert len(parts_of(form(*[TEXT + b"\r\n\r\n7"] * MAX_PARTS), b"b")) == MAX_PARTS
    sentence_of(form(*[TEXT + b"\r\n\r\n7"] * (MAX_PARTS + 1)))
    (part,) = parts_of(form(TEXT + b"\r\n\r\n" + b"7" * MAX_TEXT_BYTES), b"b")
    assert len(part.content) == MAX_TEXT_BYTES
    fill = b"X: " + b"a" * (MAX_HEADER_BYTES - len(FILE) - len(b"\r\nX: \r\n\r\n"))
    assert parts_of(form(FILE + b"\r\n" + fill + b"\r\n\r\nx"), b"b") == [Part("image", True, b"x")]
    sentence_of(form(FILE + b"\r\n" + fill + b"a\r\n\r\nx"))


def test_a_form_within_a_part_is_content() -> None:
    inner = form(FILE + b"\r\n\r\nx", boundary=b"c")
    outer = form(FILE + b"\r\nContent-Type: multipart/form-data; boundary=c\r\n\r\n" + inner)
    assert parts_of(outer, b"b") == [Part("image", True, inner)]


@pytest.mark.parametrize(
    ("disposition", "name", "is_file"),
    [
        (b"form-data; name=image; filename=x", "image", True),
        (b'FORM-DATA ;NAME = "image" ; FileName="" ;', "image", True),
        (b'form-data; name="a\\"b\\\\c"', 'a"b\\c', False),
        (b'form-data; filename="a;name=k"; name="image"', "image", True),
        (b"form-data; name=\"image\"; filename*=UTF-8''%e2%82%ac.png", "image", True),
        ('form-data; name="größe"'.encode(), "größe", False),
        (b'form-data; name="\xff"', "�", False),
        (b'form-data; name=""', "", False),
    ],
)
def test_names_and_files(disposition: bytes, name: str, is_file: bool) -> None:
    (part,) = parts_of(form(b"content-disposition:" + disposition + b"\r\n\r\nx"), b"b")
    assert (part.name, part.is_file) == (name, is_file)


@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        ("multipart/form-data; boundary=b", b"b"),
        ('Multipart/Form-Data;Boundary="b b"; charset=utf-7', b"b b"),
        ("multipart/form-data ; charset=; boundary=b", None),
        ("multipart/form-data; boundary=" + "b" * 70, b"b" * 70),
        ("multipart/form-data; boundary=" + "b" * 71, None),
        ("multipart/form-data; boundary=" + "b" * 10_000, None),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ('multipart/form-data; boundary=""', None),
        ('multipart/form-data; boundary="b "', None),
        ('multipart/form-data; boundary="b', None),
        ("multipart/form-data; boundary=b; boundary=b", None),
        ("multipart/form-data; boundary=b; boundary=c", None),
        ("multipart/form-data; boundary*=utf-8''b", None),
        ("multipart/form-data; boundary*0=a; boundary*1=b", None),
        ('multipart/form-data; boundary="\\b"', b"b"),
        ('multipart/form-data; boundary="b\r\nb"', None),
        ("multipart/form-data; boundary=\xe9", None),
        ("multipart/form-data; boundary=b, text/plain", None),
    ],
)
def test_boundaries(header: str, boundary: bytes | None) -> None:
    found = kind_of(header)
    if boundary is not None:
        assert found is not None
        assert boundary_of(found[1]) == boundary
    elif found is not None:
        with pytest.raises(RefusedError) as refused:
            boundary_of(found[1])
        assert refused.value.status == 400


@given(
    st.text(st.characters(max_codepoint=255), max_size=60)
    | st.from_regex(r"[a-z]+/[a-z]+(; ?[a-z*0-9]*=(\"[^\"]*\"?|[a-z' %]*)){0,4}")
)
def test_no_content_type_is_more_than_no_kind(header: str) -> None:
    found = kind_of(header)
    assert found is None or found[0] == found[0].lower()


PIECES = st.lists(
    st.binary(max_size=12)
    | st.sampled_from(
        [
            b"--b", b"--b--", b"--bb", b"\r\n", b"\r", b"\n", b" ", b": ", b"--", b"\0", b"7", b"\xc3\xa4", FILE, TEXT,
            b'Content-Disposition: form-data; name="a;b\\"c"', b"Content-Transfer-Encoding: 8bit", b"X-Y: z", b"\r\n\r\n",
            b"--b\r\n" + FILE + b"\r\n\r\n", b"--b\r\n" + TEXT + b"\r\n\r\n", b"\r\n--b\r\n", b"\r\n--b--\r\n",
        ]
    ),
    max_size=16,
).map(b"".join)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(PIECES)
@example(b"--b--")
@example(b"--b\r\n" + FILE + b"\r\n\r\n\r\n--b\r\n" + TEXT + b"\r\n\r\n7\r\n--b--\r\n")
def test_what_is_read_is_what_mail_readers_read(body: bytes) -> None:
    """Whatever we do not refuse, the standard library reads to the same names and contents."""
    assume(not re.search(b"\r(?!\n)", body))  # which ends a line for mail alone
    try:
        found = parts_of(body, b"b")
    except RefusedError:
        return
    read = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + body
    )
    others = [part for part in (read.get_payload() or []) if not isinstance(part, str)]
    assert [(part.name, part.content) for part in found] == [
        (_name(other["Content-Disposition"]), other.get_payload(decode=True)) for other in others
    ]


def _name(disposition: object) -> str:
    found = re.search(r'name="((?:[^"\\]|\\.)*)"', str(disposition))
    assert found
    return re.sub(r"\\(.)", r"\1", found[1])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["image", "k", "within", "ranking"]), st.booleans(), st.binary(max_size=40)
        ),
        max_size=MAX_PARTS,
    )
)
def test_forms_of_a_writer_come_back(parts: list[tuple[str, bool, bytes]]) -> None:
    boundary = b"----0123456789abcdef"
    body = form(
        *(
            b'Content-Disposition: form-data; name="%s"%s\r\n\r\n%s'
            % (name.encode(), b'; filename="x"' if is_file else b"", content)
            for name, is_file, content in parts
        ),
        boundary=boundary,
    )
    assert parts_of(bytearray(body), boundary) == [Part(*part) for part in parts]
