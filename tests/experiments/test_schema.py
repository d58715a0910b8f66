"""What declared tables and figures say of the values that they print."""

from tsd.experiments.schema import Figure, Table


def test_a_table_prints_the_value_of_the_first_row_that_has_one():
    rows = [
        {"label": "dash", "run": "a", "published": {"AP": None}},
        {"label": "first", "run": "a", "published": {"AP": 1.0}},
        {"label": "second", "run": "a", "published": {"AP": 2.0, "AP50": 3.0}},
    ]
    content = {"id": "t", "title": "t", "source": "s", "metrics": ["AP", "AP50"], "rows": rows}
    table = Table.model_validate(content)
    assert table.printed("a", "AP") == 1.0
    assert table.printed("a", "AP50") == 3.0
    assert table.printed("a", "AP75") is None
    assert table.printed("b", "AP") is None


def test_a_figure_prints_the_values_of_a_series_in_the_order_of_its_metrics(declared):
    figure = declared.figures["figure6"]
    assert figure.printed("r50", "AP50") == 58.1
    assert figure.printed("tsd_pc", "AP60") == 57.3
    assert figure.printed("r50", "AP70") is None
    assert figure.printed("drawn", "AP50") is None
    assert figure.printed("nobody", "AP50") is None


def test_a_curve_with_fewer_values_than_metrics_prints_those_it_has():
    series = [{"label": "a", "run": "a", "published": [1.0]}]
    content = {"id": "f", "title": "t", "source": "s", "kind": "iou", "series": series}
    figure = Figure.model_validate({**content, "metrics": ["AP50", "AP60"]})
    assert (figure.printed("a", "AP50"), figure.printed("a", "AP60")) == (1.0, None)
