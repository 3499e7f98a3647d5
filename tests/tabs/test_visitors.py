"""A page's state is its own, and gone when the page is."""

from types import SimpleNamespace

from tabs.visitors import LONGEST_UNUSED_S, Visitors, name_of


def page(name):
    return SimpleNamespace(session_hash=name)


def test_each_page_has_its_own_state_until_it_closes():
    table = Visitors()
    first = table.of(page("a"))
    assert table.of(page("a")) is first
    assert table.of(page("b")) is not first
    table.forget(page("a"))
    assert len(table) == 1
    table.of(page("a")).picture = "the answer of a frame that was under way"
    assert table.of(page("a")).picture is None
    assert len(table) == 1, "a closed page does not come back"
    table.forget(page("never seen"))


def test_the_table_is_bounded(monkeypatch):
    monkeypatch.setattr("tabs.visitors.MOST_VISITORS", 3)
    table = Visitors()
    for number in range(5):
        table.of(page(str(number)))
        table.of(page("0"))
    assert len(table) == 3
    kept = table.of(page("0"))
    assert table.of(page("0")) is kept


def test_a_page_that_asks_for_nothing_is_forgotten():
    table = Visitors()
    unused = table.of(page("unused"))
    kept = table.of(page("kept"))
    unused.used_s -= LONGEST_UNUSED_S + 1
    kept.used_s -= LONGEST_UNUSED_S - 60
    table.of(page("new"))
    assert table.of(page("kept")) is kept
    assert table.of(page("unused")) is not unused
    assert unused.closed


def test_callers_without_a_page_share_a_name():
    assert name_of(page(None)) == "api"
