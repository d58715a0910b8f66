from tsd.reporting import gains_figure
from tsd.reporting.gains_figure import draw_gains


def test_gains_are_drawn_twice_and_alike_each_time(collected, tmp_path):
    for folder in ("a", "b"):
        draw_gains(collected, tmp_path / folder / "gains.png")
    assert (tmp_path / "a/gains.png").stat().st_size > 1000
    first, second = ((tmp_path / folder / "gains.svg").read_bytes() for folder in "ab")
    assert first == second


def test_each_gain_has_a_line_from_the_papers_to_the_measured(
    collected, results, tmp_path, monkeypatch
):
    drawn = []
    finish = gains_figure._finish

    def keep(axes, *others):
        finish(axes, *others)
        drawn.append(axes)

    monkeypatch.setattr(gains_figure, "_finish", keep)
    draw_gains(collected, tmp_path / "gains.png")
    (axes,) = drawn
    ends = [tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    # better, single and half over base; better over single; then the line of no gain
    assert [end[:2] for end in ends] == [(2.5, 2.5), (1.0, -1.5), (1.5, 2.5), (2.0, 4.0), (0, 0)]
    names = {text.get_text() for text in axes.texts}
    assert {"One seed", "Table 1 · over Baseline (M_cls)"} <= names
    assert not names & set(results.runs)
    assert axes.get_xlabel() == "gain in AP, percentage points"


def test_gains_without_any_are_still_a_figure(collected, results, tmp_path):
    results.model_copy(update={"tables": []}).write(collected)
    draw_gains(collected, tmp_path / "gains.png")
    assert (tmp_path / "gains.svg").exists()
