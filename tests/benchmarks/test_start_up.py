"""A start in full: the app answers, loads its model, and holds less memory than a small host has."""

from benchmarks.start_up import one_start


def test_the_server_holds_less_than_two_gigabytes():
    record = one_start()
    assert 0 < record["answers_s"] <= record["ready_s"]
    assert 0 < record["resident_mb_when_ready"] < 2048
    assert record["resident_mb_after_a_picture"] < 2048
    assert record["resident_mb_while_measuring"] < 2048
    assert record["measuring_process_mb"] > 0, "the measuring process is counted apart"
