import pytest

from services.retrieval.query import Form, Query, form_of, query_of
from services.web.refused import RefusedError

FORM = Form(b"b")


def part(disposition: str, content: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (disposition.encode(), content)


def read(*parts: bytes, query: dict[str, str] | None = None) -> Query:
    return query_of(b"".join(parts) + b"--b--\r\n", FORM, (query or {}).items(), 50)


IMAGE = part('name="image"; filename="x"', b"picture")


def test_parameters_stand_in_the_form_or_in_the_query_string() -> None:
    assert read(IMAGE) == Query(b"picture", 10, None, True)
    assert read(part('name="k"', b"7"), IMAGE, part('name="within"', "größe".encode())) == Query(
        b"picture", 7, "größe", True
    )
    assert read(IMAGE, query={"k": "50", "within": "a/b"}) == Query(b"picture", 50, "a/b", True)
    assert query_of(b"picture", Form(None), [("k", "3")], 50) == Query(b"picture", 3, None, True)


@pytest.mark.parametrize(
    ("given", "weighted"), [(b"hamming", False), (b"weighted", True), (b"", True), (None, True)]
)
def test_a_ranking_is_chosen_by_its_name(given: bytes | None, weighted: bool) -> None:
    more = [] if given is None else [part('name="ranking"', given)]
    assert read(IMAGE, *more).weighted == weighted
    assert read(IMAGE, query={} if given is None else {"ranking": given.decode()}).weighted == weighted


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([], "has 0 files"),
        ([IMAGE, IMAGE], "has 2 files"),
        ([part('name="image"', b"picture")], "holds text: send it as a file, with a filename"),
        ([part('name="image"; filename=""', b"")], "has no bytes"),
        ([part('name="photo"; filename="x"', b"picture")], "file in the field 'photo'"),
        ([part('name="k"; filename="x"', b"7"), IMAGE], "file in the field 'k'"),
        ([part('name="colour"', b"red"), IMAGE], "field 'colour' is not known"),
        ([part('name="k"', b"7"), part('name="k"', b"7"), IMAGE], "'k' is given twice"),
        ([part('name="within"', b"\xff"), IMAGE], "is not UTF-8"),
        ([part('name="k"', b"51"), IMAGE], "whole number from 1 to 50"),
        ([part('name="k"', b"0"), IMAGE], "whole number from 1 to 50"),
        ([part('name="ranking"', b"cosine"), IMAGE], "ranking is 'cosine': give weighted or hamming"),
        ([part('name="ranking"', b"Weighted"), IMAGE], "ranking is 'Weighted': give weighted or hamming"),
        ([part('name="ranking"', b"weighted")], "has 0 files"),
        ([part('name="ranking"; filename="x"', b"weighted"), IMAGE], "file in the field 'ranking'"),
        ([part('name="ranking"', b"hamming"), IMAGE, part('name="ranking"', b"hamming")], "is given twice"),
        ([part('name="k"', "\u0663".encode()), IMAGE], "whole number from 1 to 50"),
        ([part('name="%s"' % ("x" * 3000), b"7"), IMAGE], "is not known"),
    ],
)
def test_what_is_no_search_is_said_in_one_sentence(parts: list[bytes], told: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read(*parts)
    assert told in str(refused.value)
    assert (refused.value.status, len(str(refused.value)) < 400) == (400, True)


def test_a_parameter_in_both_places_is_given_twice() -> None:
    with pytest.raises(RefusedError, match="given twice"):
        read(IMAGE, part('name="k"', b"7"), query={"k": "7"})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["multipart/form-data; boundary=b"], Form(b"b")),
        (["image/jpeg"], Form(None)),
        (["IMAGE/PNG; q=1"], Form(None)),
        (["image/svg+xml"], Form(None)),  # decoding says that it is no picture
        ([], 415),
        ([""], 415),
        (["multipart/form-data; boundary=b", "multipart/form-data; boundary=b"], 415),
        (["multipart/mixed; boundary=b"], 415),
        (["multipart"], 415),
        (["application/json"], 415),
        (["image"], 415),
        (["multipart/form-data; boundary=b; boundary=c"], 415),
        (["multipart/form-data"], 400),
        (["\xe9" * 3000], 415),
        (["multipart/form-data; boundary=" + "b" * 3000], 400),
    ],
)
def test_how_a_body_is_read_is_known_before_it_is_there(headers: list[str], expected: Form | int) -> None:
    if isinstance(expected, Form):
        assert form_of(headers) == expected
        return
    with pytest.raises(RefusedError) as refused:
        form_of(headers)
    assert refused.value.status == expected
    assert len(str(refused.value)) < 400
