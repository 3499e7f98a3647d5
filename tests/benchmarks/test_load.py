"""Many visitors at once, in small: every one gets his own answer, cameras share, and a measurement is alone."""

import pytest

from benchmarks import load
from benchmarks.visitors import Uploader, WrongAnswer


def test_everybody_gets_the_answer_to_his_own_picture(server):
    record = load.uploads(server, visitors=10, pictures=2)
    assert record["errors"] == []
    assert record["answered"] == record["pictures"] == 20


def test_an_answer_to_another_picture_would_be_noticed(server, tmp_path):
    mine, other = (Uploader(number, server.url, gradio=False) for number in (1, 9))
    other.prepare(tmp_path)
    answer = other._by_http()
    other._check(answer)
    with pytest.raises(WrongAnswer, match="expected one face in 608 px"):
        mine._check(answer)
    other.close()


def test_cameras_share_the_cpu_and_wait_for_a_measurement(server):
    record = load.cameras(server, number=4, seconds=2, measure=True)
    assert record["errors"] == []
    assert record["slowest_frames_per_second"] >= record["fastest_frames_per_second"] / 2
    beside = record["calibration"]
    assert beside["cameras_told_to_wait"] == 4
    assert beside["frames_analyzed_meanwhile"] == 0
    assert all(words.startswith("paused: this CPU is being measured") for words in beside["told"])
