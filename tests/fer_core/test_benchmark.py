"""The benchmark times what it says, compares what it says, and its naive pipeline is the naive one."""

from __future__ import annotations

import itertools
import json
import math
import statistics
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
from facenet_pytorch import MTCNN
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.endurance import looped
from benchmarks.still_stream import run as show_still
from fer_core.__main__ import main
from fer_core.benchmark import PipelineProcess, compare, percentiles, repetition, stage_percentiles
from fer_core.benchmark_commands import as_markdown
from fer_core.benchmark_worker import PIPELINES, FrameRecord, StreamPipeline, memory_mb, read_frames
from fer_core.emotions import EMOTIONS
from fer_core.faces import square_crop
from fer_core.pictures import encode_jpeg
from fer_core.runtimes import load_keras
from fer_core.stream import STAGES

WIDTH, HEIGHT, FRAMES = 240, 180, 30
RESOLUTION = 64
RANKS = ("p50", "p95", "p99")
SHARES = ("recall", "iou_share_above_0_7", "label_agreement")


@pytest.fixture(scope="module")
def clip(tmp_path_factory, astronaut):
    """A second of the astronaut swaying, H.264, 240 x 180."""
    path = tmp_path_factory.mktemp("clips") / "swaying.mp4"
    portrait = astronaut[:360, 40:520]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            shift = 8 * math.sin(2 * math.pi * number / 30)
            image = cv2.warpAffine(portrait, np.float32([[0.5, 0, shift], [0, 0.5, 0]]), (WIDTH, HEIGHT))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def record(clip):
    command = [sys.executable, "-m", "fer_core", "benchmark", str(clip), "--json"]
    options = ["--frames", "10", "--repeats", "2", "--resolution", str(RESOLUTION)]
    done = subprocess.run(command + options, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "run 2/2" in done.stderr
    return json.loads(done.stdout)


def test_the_record_is_complete(record):
    assert record["schema_version"] == 1
    assert (record["file"], record["frames"], record["resolution"]) == ("swaying.mp4", 10, RESOLUTION)
    assert set(record["stages_ms"]) == set(record["naive_stages_ms"]) == set(STAGES)
    assert len(record["runs"]) == 2
    assert record["environment"]["threads"] >= 1
    assert record["peak_memory_mb"] > 100
    assert record["frames_with_face"] == record["naive_frames_with_face"] == 10
    assert record["recall"] == 1


def test_every_run_is_consistent(record):
    for run in record["runs"]:
        for total, stages in (("total_ms", "stages_ms"), ("naive_total_ms", "naive_stages_ms")):
            for row in (run[total], *run[stages].values()):
                assert 0 <= row["p50"] <= row["p95"] <= row["p99"]
            for name in RANKS:
                assert run[total][name] >= max(row[name] for row in run[stages].values()) > 0
        assert all(0 <= run[share] <= 1 for share in SHARES)
        assert run["speedup_p50"] == run["naive_total_ms"]["p50"] / run["total_ms"]["p50"]
        assert run["reference_ms"] == (run["reference_before_ms"] + run["reference_after_ms"]) / 2 > 0
        assert run["naive_stages_ms"]["track"]["p99"] == 0
        assert min(run["naive_stages_ms"][stage]["p50"] for stage in STAGES if stage != "track") > 0


def test_of_each_pipeline_the_run_with_its_smallest_median_counts(record):
    best, naive_best = record["runs"][record["best_run"] - 1], record["runs"][record["naive_best_run"] - 1]
    assert best["total_ms"]["p50"] == min(run["total_ms"]["p50"] for run in record["runs"])
    assert naive_best["naive_total_ms"]["p50"] == min(run["naive_total_ms"]["p50"] for run in record["runs"])
    naive = {name: naive_best[name] for name in ("naive_total_ms", "naive_stages_ms")}
    speedup = naive_best["naive_total_ms"]["p50"] / best["total_ms"]["p50"]
    expected = best | naive | {"speedup_p50": speedup}
    assert {name: record[name] for name in expected} == expected


def test_tables_show_what_counts_and_every_run(record):
    lines = as_markdown(record).splitlines()
    total = record["total_ms"]
    assert f"| total | {total['p50']:.1f} | {total['p95']:.1f} | {total['p99']:.1f} |" in lines
    assert f"speed-up (p50): {record['speedup_p50']:.1f}" in lines
    rows = {int(line[2]): line for line in lines if line.startswith(("| 1 ", "| 2 "))}
    assert set(rows) == {1, 2}
    assert "stream" in rows[record["best_run"]]
    assert "naive" in rows[record["naive_best_run"]]


def test_naive_is_mtcnn_on_every_whole_frame_and_keras_predict(clip):
    pipeline = PIPELINES["naive"](RESOLUTION)
    frames = read_frames(clip)
    records = [pipeline.run(frames) for _ in range(3)]
    mtcnn = MTCNN(keep_all=True, min_face_size=20, device="cpu")
    keras_model, weights = load_keras("scalable-env2b0")
    assert (pipeline.recognizer.runtime.name, weights) == ("keras-predict", "trained")
    for seen, (image, _) in zip(records, read_frames(clip), strict=False):
        boxes = mtcnn.detect(image)[0].astype(float)
        np.testing.assert_allclose(seen.boxes, boxes.clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT]), atol=0.5)
        crops = np.stack([square_crop(image, box, RESOLUTION) for box in boxes]).astype(np.float32)
        logits = keras_model.predict(crops, verbose=0)["logits"]
        assert seen.labels == [EMOTIONS[index] for index in logits.argmax(axis=1)]
        assert seen.total_ms >= sum(seen.stages_ms.values())


def test_a_video_ends_and_begins_again(clip):
    with PipelineProcess("stream", RESOLUTION) as process:
        process.load()
        process.begin(clip)
        counts = [len(process.block(20)) for _ in range(3)]
        process.begin(clip)
        again = process.block(2)
        memory = process.peak_memory_mb()
    assert counts == [20, FRAMES - 20, 0]
    assert all(len(seen.boxes) == 1 for seen in again)
    assert memory > 100


class _Scripted:
    """Stands where a process stands and writes down what it is asked."""

    def __init__(self, name, length, asked):
        self.name, self.left, self.asked = name, length, asked

    def reference_ms(self):
        return 5.0

    def begin(self, path):
        self.asked.append((self.name, "begin"))

    def block(self, count):
        self.asked.append((self.name, count))
        count = min(count, self.left)
        self.left -= count
        return [seen([(0, 0, 9, 9)])] * count


@pytest.mark.parametrize(
    ("length", "frames", "blocks"),
    [
        pytest.param(120, None, [50, 50, 50], id="whole-video"),
        pytest.param(100, None, [50, 50, 50], id="whole-blocks"),
        pytest.param(300, 120, [50, 50, 20], id="only-the-first"),
        pytest.param(70, 120, [50, 50], id="shorter-than-asked"),
    ],
)
def test_pipelines_take_turns_in_blocks_of_50(tmp_path, length, frames, blocks):
    asked = []
    stream, naive = (_Scripted(name, length, asked) for name in ("stream", "naive"))
    run = repetition(tmp_path, stream, naive, frames, lambda message: None)
    turns = ["begin", *blocks]
    assert asked == [(name, turn) for turn in turns for name in ("stream", "naive")]
    assert run["frames"] == min(length, frames or length)


def seen(boxes, labels=None, **stages_ms):
    stages_ms = dict.fromkeys(STAGES, 0.0) | stages_ms
    return FrameRecord([list(box) for box in boxes], labels or ["fear"] * len(boxes), stages_ms, 1.0)


HERE, NEAR, FAR = (0, 0, 10, 10), (0, 0, 10, 8), (50, 50, 60, 60)


@pytest.mark.parametrize(
    ("stream", "naive", "expected"),
    [
        pytest.param([seen([HERE])], [seen([HERE])], (1, 1, 1, 1, 1), id="same"),
        pytest.param([seen([])], [seen([HERE])], (0, 1, 0, None, None), id="missed"),
        pytest.param([seen([HERE])], [seen([])], (1, 0, None, None, None), id="found-by-the-stream-only"),
        pytest.param([seen([])], [seen([])], (0, 0, None, None, None), id="no-face-ever"),
        pytest.param([seen([FAR])], [seen([HERE])], (1, 1, 1, 0, 1), id="elsewhere"),
        pytest.param([seen([NEAR])], [seen([HERE])], (1, 1, 1, 1, 1), id="overlap-of-0.8"),
        pytest.param([seen([(0, 0, 10, 7)])], [seen([HERE])], (1, 1, 1, 1, 1), id="overlap-of-exactly-0.7"),
        pytest.param([seen([(0, 0, 10, 6)])], [seen([HERE])], (1, 1, 1, 0, 1), id="overlap-of-0.6"),
        pytest.param(
            [seen([FAR, HERE], ["fear", "anger"])],
            [seen([NEAR, FAR], ["anger", "fear"])],
            (1, 1, 1, 1, 1),
            id="the-largest-naive-face-and-the-best-of-the-stream",
        ),
        pytest.param(
            [seen([HERE], ["fear"]), seen([HERE], ["anger"]), seen([]), seen([])],
            [seen([HERE], ["fear"]), seen([HERE], ["fear"]), seen([HERE]), seen([])],
            (2, 3, 2 / 3, 1, 0.5),
            id="several-frames",
        ),
    ],
)
def test_comparison(stream, naive, expected):
    assert tuple(compare(stream, naive).values()) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1e6), min_size=2))
def test_percentiles_are_those_of_the_standard_library(values):
    by_hundredth = statistics.quantiles(values, n=100, method="inclusive")
    expected = {name: by_hundredth[rank - 1] for name, rank in (("p50", 50), ("p95", 95), ("p99", 99))}
    assert percentiles(values) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_stage_that_a_frame_did_without_counts_as_0():
    rows = stage_percentiles([seen([], detect=30.0), seen([]), seen([])])
    assert rows["detect"]["p50"] == 0
    assert rows["detect"]["p99"] == pytest.approx(0.98 * 30)


def test_the_endless_video_goes_on_in_time(clip):
    frames = list(itertools.islice(looped(clip), 2 * FRAMES + 5))
    times = [seconds for _, seconds in frames]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert times[-1] == pytest.approx((len(times) - 1) / 30, abs=0.01)
    np.testing.assert_array_equal(frames[0][0], frames[FRAMES][0])


def test_a_still_picture_as_a_stream(astronaut):
    records = show_still(StreamPipeline(RESOLUTION), encode_jpeg(astronaut), 4)
    assert [len(seen.boxes) for seen in records] == [1] * 4
    assert all(seen.stages_ms["decode"] > 0 and seen.stages_ms["encode"] > 0 for seen in records)


def test_memory_is_read_in_megabytes():
    before = memory_mb("VmRSS")
    block = np.ones(100_000_000, np.uint8)
    assert memory_mb("VmRSS") - before == pytest.approx(block.nbytes / 1e6, rel=0.1)
    assert memory_mb("VmHWM") >= memory_mb("VmRSS")
    assert memory_mb("VmNothing") is None


def sound(path):
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=44100)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        samples.sample_rate = 44100
        container.mux(stream.encode(samples))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path: None, id="missing"),
        pytest.param(lambda path: path.mkdir(), id="folder"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_text("no video"), id="text"),
        pytest.param(sound, id="sound-only"),
    ],
)
def test_unusable_files_are_one_line_and_status_2(tmp_path, capsys, write):
    path = tmp_path / "clip.mp4"
    write(path)
    assert main(["benchmark", str(path)]) == 2
    written = capsys.readouterr()
    assert written.out == ""
    (line,) = written.err.strip().splitlines()
    assert "expected a video file" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--frames", "0"], "frames must be at least 1, but got 0", id="frames"),
        pytest.param(["--repeats", "-1"], "repeats must be at least 1, but got -1", id="repeats"),
        pytest.param(["--resolution", "0"], "at least 1 px, but got 0 px", id="resolution"),
    ],
)
def test_unusable_options_are_one_line_and_status_2(clip, capsys, options, message):
    assert main(["benchmark", str(clip), *options]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
