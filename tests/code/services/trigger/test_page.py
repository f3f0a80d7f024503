"""The approval page, as text."""

from services.trigger.page import page
from taxohash.release.judging import Compared


def test_what_is_known_is_shown_and_nothing_of_it_is_markup() -> None:
    compared = Compared(metric="<mAP>", value=0.5, bound=0.4, difference=0.1, low=-0.05, high=0.15)
    text = page("it's <b>", {"Report": "s3://<x>", "Data version": ""}, [compared], asks=False)
    assert "It&#x27;s &lt;b&gt;" in text
    assert "<dt>Report<dd>s3://&lt;x&gt;" in text
    assert "Data version" not in text  # not known
    assert "&lt;mAP&gt;<td>0.5000<td>0.4000<td>+0.1000 (-0.0500 to +0.1500)" in text
    assert "<form" not in text


def test_a_dollar_is_a_dollar() -> None:
    assert "it costs $form" in page("x", {"Why": "it costs $form"}, asks=True)
