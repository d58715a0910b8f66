import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsd.reporting import escaping, wording


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.25, "+1.2"), (-4.9, "−4.9"), (-0.04, "0.0"), (0.04, "0.0"), (0.05001, "+0.1"), (None, "—")],
)
def test_signed(value, text):
    assert wording.signed(value, 1) == text


@given(st.floats(-1000, 1000), st.integers(0, 3))
def test_a_number_reads_back_and_zero_has_no_sign(value, decimals):
    text = wording.number(value, decimals)
    assert float(text.replace("−", "-")) == pytest.approx(value, abs=0.51 * 10**-decimals)
    assert "-" not in text
    assert not (text.startswith("−") and float(text[1:]) == 0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(9.4, "9 s"), (59.7, "1 min 00 s"), (240, "4 min 00 s"), (3725, "1 h 02 min")],
)
def test_duration(seconds, text):
    assert wording.duration(seconds) == text


def test_commit_says_when_it_is_dirty_or_unknown():
    assert wording.commit_text("0123456789abcdef", True) == "0123456789, dirty"
    assert wording.commit_text(None, None) == "commit unknown"


def test_html_sets_subscripts_after_escaping():
    assert escaping.html("<b> M_cls P̂_c a_b") == "&lt;b&gt; M<sub>cls</sub> P̂<sub>c</sub> a_b"


def test_markdown_escapes_only_underscores_that_could_emphasise():
    assert escaping.markdown("M_cls _x_ *y*") == r"M_cls \_x\_ \*y\*"


def test_published_values_keep_the_decimals_they_were_printed_with():
    assert wording.printed(40.89, 1) == "40.89"
    assert wording.printed(58.0, 1) == "58.0"
    assert wording.printed(None, 1) == "—"
