"""Results tab: the paper's table as printed, and measured figures only."""

from fer_core.results import PAPER_TABLE_2, measured_rows
from tabs import results


def test_the_papers_table():
    table = results.paper_table().set_index("model")
    assert list(table.index) == ["scalable-env2b0", "scalable-env2s", "bdf-inceptionv3", "bdf-mobilenet"]
    assert table.loc["scalable-env2b0"].tolist() == [302, 0.96, 0.16, 0.95, 0.96, 0.97, 40]
    assert table.loc["bdf-mobilenet"].tolist() == [224, 0.74, 0.76, 0.74, 0.73, 0.73, 16]
    # What the tab tells its reader to notice.
    assert PAPER_TABLE_2["scalable-env2s"].f1_micro != PAPER_TABLE_2["scalable-env2s"].accuracy


def test_every_measured_figure_has_a_date_and_a_machine():
    rows = measured_rows()
    assert rows
    for row in rows:
        assert row.date
        assert row.machine
        assert row.weights in ("shipped", "run")
    table = results.measured_table(rows)
    assert table["accuracy"].tolist() == [f"{row.accuracy:.3f}" for row in rows]


def test_without_measurements_nothing_is_claimed(tmp_path):
    assert measured_rows(tmp_path) == []
