"""Visitors of the app over HTTP: some upload pictures, each his own, some leave a camera running."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import httpx
import numpy as np
from gradio_client import Client, handle_file
from skimage.data import astronaut

from fer_core.pictures import encode_jpeg

API = "/gradio_api"
SECONDS = 120  # at most, for an answer
_FACE = (slice(0, 256), slice(96, 352))  # of the astronaut, with room around it: 256 x 256 px


class WrongAnswer(RuntimeError):
    """An answer that is not to the visitor's own picture."""


@dataclass
class Uploader:
    """Uploads a picture that nobody else has: of a width of its own, its face at a place of its own.

    Attributes:
        number: Of the visitor, from 0 on.
        url: Address of the server.
        gradio: Whether it speaks by ``gradio_client``; else in plain HTTP.
        seconds: How long each answer took.
        errors: What went wrong.
    """

    number: int
    url: str
    gradio: bool
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._width, self._left = 600 + 8 * self.number, 8 * self.number
        canvas = np.full((300, self._width, 3), 128, np.uint8)
        canvas[20:276, self._left : self._left + 256] = astronaut()[_FACE]
        self._jpeg = encode_jpeg(canvas)
        self._session = uuid.uuid4().hex

    def prepare(self, folder: Path) -> None:
        """Opens the connection, before the time runs.

        Args:
            folder: Where a picture for ``gradio_client``, which uploads files alone, may lie.
        """
        if self.gradio:
            self._path = folder / f"{self.number}.jpg"
            self._path.write_bytes(self._jpeg)
            self._client = Client(self.url, verbose=False)
        else:
            self._http = httpx.Client(base_url=self.url, timeout=SECONDS)

    def upload(self) -> None:
        """Uploads the picture, waits for the answer, and checks that it is the answer to this very picture."""
        started = time.perf_counter()
        try:
            record = self._by_gradio() if self.gradio else self._by_http()
            self._check(record)
        # Every kind of failure is a figure of this benchmark.
        except Exception as error:
            self.errors.append(f"visitor {self.number}: {type(error).__name__}: {error}"[:300])
        else:
            self.seconds.append(time.perf_counter() - started)

    def close(self) -> None:
        """Closes the connection."""
        if not self.gradio:
            self._http.close()

    def _by_gradio(self) -> dict:
        return self._client.predict(handle_file(self._path), api_name="/recognize")

    def _by_http(self) -> dict:
        files = {"files": (f"{self.number}.jpg", self._jpeg, "image/jpeg")}
        (path,) = self._http.post(f"{API}/upload", files=files).raise_for_status().json()
        file = {"path": path, "orig_name": f"{self.number}.jpg", "meta": {"_type": "gradio.FileData"}}
        body = {"data": [file, 128], "session_hash": self._session}
        event = self._http.post(f"{API}/call/recognize", json=body).raise_for_status().json()["event_id"]
        with self._http.stream("GET", f"{API}/call/recognize/{event}") as answer:
            for line in answer.iter_lines():
                if line.startswith("event: error"):
                    raise RuntimeError("the server answered with an error")
                if line.startswith("data: [{"):
                    return json.loads(line.removeprefix("data: "))[0]
        raise RuntimeError("the answer has no data")

    def _check(self, record: dict) -> None:
        middles = [(face["box"][0] + face["box"][2]) / 2 - self._left for face in record["faces"]]
        if record["width"] != self._width or len(middles) != 1 or not 64 < middles[0] < 192:
            raise WrongAnswer(f"expected one face in {self._width} px, but got {middles} in {record['width']} px")


@dataclass
class Camera:
    """A camera that sends its next frame as soon as the last one is answered, as a browser does.

    Attributes:
        url: Address of the server.
        answers: When each analyzed frame was answered, ``time.monotonic``.
        pauses: When it was told to wait for a measurement, and in which words.
        errors: What went wrong.
    """

    url: str
    answers: list[float] = field(default_factory=list)
    pauses: list[tuple[float, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def run(self, stop: Event) -> None:
        """Films until it is stopped."""
        try:
            with httpx.Client(base_url=self.url, timeout=SECONDS) as client:
                self._film(client, stop)
        # Every kind of failure is a figure of this benchmark.
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}"[:300])

    def _film(self, client: httpx.Client, stop: Event) -> None:
        config = client.get("/config").raise_for_status().json()
        (stream,) = [each for each in config["dependencies"] if any(event == "stream" for _, event in each["targets"])]
        square = astronaut()[::2, ::2]
        picture = encode_jpeg(np.pad(square, ((0, 0), (40, 44), (0, 0)), constant_values=128))
        frame = {"url": "data:image/jpeg;base64," + base64.b64encode(picture).decode()}
        session = uuid.uuid4().hex
        body = {
            "data": [frame, "largest", 128, 0.4, False, 0.3, 40, "scalable-env2b0"],
            "fn_index": stream["id"],
            "trigger_id": stream["targets"][0][0],
            "session_hash": session,
        }
        event = client.post(f"{API}/queue/join", json=body).raise_for_status().json()["event_id"]
        for message in self._messages(client, session):
            if message["msg"] in ("process_streaming", "process_generating"):
                self._note(message)
                if stop.is_set():
                    client.post(f"{API}/stream/{event}/close")
                else:
                    client.post(f"{API}/stream/{event}", json=body)
            elif message["msg"] == "process_completed":
                if not message["success"]:
                    raise RuntimeError("the server ended the stream with an error")
                return

    def _note(self, message: dict) -> None:
        if not message["success"]:
            raise RuntimeError("a frame was answered with an error")
        said = json.dumps(message["output"]["data"])
        if "paused: " in said:
            self.pauses.append((time.monotonic(), said[said.index("paused: ") :].partition("<")[0]))
        elif "image/jpeg" in said:
            self.answers.append(time.monotonic())

    @staticmethod
    def _messages(client: httpx.Client, session: str) -> Iterator[dict]:
        with client.stream("GET", f"{API}/queue/data", params={"session_hash": session}) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))
