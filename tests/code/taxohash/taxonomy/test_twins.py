from taxohash.taxonomy.twins import twins


def test_siblings_that_differ_in_case_or_encoding_alone() -> None:
    paths = [
        ("Cat",),
        ("cat",),
        ("dog", "caf\u00e9"),
        ("dog", "cafe\u0301"),
        ("fox", "CAT"),
        ("Fox", "cat"),
        ("x",),
    ]
    assert list(twins(paths)) == [
        (("Cat",), ("cat",)),
        (("dog", "cafe\u0301"), ("dog", "caf\u00e9")),
        (("Fox",), ("fox",)),
    ]
    assert list(twins([("a", "x"), ("b", "X"), ("c",)])) == []
