"""Any JSON to the endpoints, over HTTP: answered or refused, and the next ordinary request succeeds."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.cases import JSON, cases, damaged, names_no_path
from tests.fuzz.test_records import CALIBRATION
from tests.test_server import request

ENDPOINTS = ("recognize", "video", "solve", "calibrate", "results", "recognize_picture", "recognize_example")
FILES = st.fixed_dictionaries({"path": JSON | st.text(max_size=30), "meta": st.just({"_type": "gradio.FileData"})})
BODIES = (
    JSON.map(lambda value: json.dumps(value).encode())
    | st.lists(JSON | FILES | damaged(CALIBRATION), max_size=6).map(lambda data: json.dumps({"data": data}).encode())
    | st.binary(max_size=60)
)


def called(server, endpoint, body):
    """Calls an endpoint and waits for its answer; returns all that came, and whether it was a result."""
    call = f"/gradio_api/call/{endpoint}"
    status, _, answer = request(server, call, "POST", body, {"Content-Type": "application/json"})
    if status != 200:
        assert 400 <= status < 500, f"{status}: {answer!r}"
        return answer, False
    _, _, events = request(server, f"{call}/{json.loads(answer)['event_id']}")
    assert events.startswith((b"event: complete", b"event: error")), events
    return events, events.startswith(b"event: complete")


@cases(60)
@given(endpoint=st.sampled_from(ENDPOINTS), body=BODIES)
def test_whatever_comes_the_next_ordinary_request_succeeds(server, endpoint, body):
    answer, _ = called(server, endpoint, body)
    assert names_no_path(answer.decode(errors="replace"))
    answer, done = called(server, "solve", json.dumps({"data": [CALIBRATION, 25]}).encode())
    assert done, answer
