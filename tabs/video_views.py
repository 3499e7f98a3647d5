"""What the video tab shows: progress, the player, whom one can choose, downloads."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping

from fer_core.video import VideoProgress, VideoSummary

from . import panel
from .video_job import Result, Track

MOST_PEOPLE = 20
"""Tracks offered for the timeline, those seen longest: cuts and crowds make hundreds."""

# The answer brings the video as base64. A Blob can be searched in every browser (Safari plays no data address of this
# size), belongs to the page, and goes with it.
PLAYER_SCRIPT = """
let address = null;
const play = () => {
  if (address) URL.revokeObjectURL(address);
  address = null;
  const video = element.querySelector('video[data-mp4]');
  if (!video) return;
  const bytes = Uint8Array.from(atob(video.dataset.mp4), letter => letter.charCodeAt(0));
  delete video.dataset.mp4;
  address = URL.createObjectURL(new Blob([bytes], {type: 'video/mp4'}));
  video.src = address;
  element.querySelector('a[download]').href = address;
};
watch('value', play);
"""


def player_html(mp4: bytes) -> str:
    """Renders the annotated video, an MP4 file, with a link to download it."""
    data = base64.b64encode(mp4).decode()
    return (
        f'<video controls playsinline style="width:100%;max-height:75vh;background:#000" data-mp4="{data}" '
        'aria-label="the annotated video"></video>'
        '<p class="fer-downloads">Download: <a download="annotated.mp4">annotated.mp4</a> '
        f"({len(mp4) / 1e6:.1f} MB)</p>"
    )


def downloads_html(result: Result) -> str:
    """Renders links to the table as CSV and as JSON."""
    return (
        '<p class="fer-downloads">A row for each face in each frame: '
        + panel.download_link("emotions.csv", "text/csv", result.csv.encode())
        + " · "
        + panel.download_link("emotions.json", "application/json", result.json.encode())
        + "</p>"
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def progress_html(progress: VideoProgress | None, waiting: str | None) -> str:
    """Renders how far a video is, how long it will take, and why nothing happens if that is so."""
    if progress is None:
        return "<progress style='width:100%' aria-label='progress of the video'></progress>" + panel.message(
            waiting or "Starting."
        )
    known = "" if progress.fraction is None else f" max='1' value='{progress.fraction:.3f}'"
    text = f"{progress.frames} frames, {progress.time_s:.1f} s of the video"
    if progress.expected_frames is not None:
        text = f"{progress.frames} of about {progress.expected_frames} frames"
    if progress.seconds_left is not None:
        text += f", {_seconds(progress.seconds_left)} left"
    return f"<progress{known} style='width:100%' aria-label='progress of the video'></progress>" + panel.message(
        waiting or text
    )


def summary_html(summary: VideoSummary, settings_text: str) -> str:
    """Renders what a video came to, and what was wrong with it."""
    text = f"{summary.frames} frames, {summary.seconds:.1f} s, {settings_text}; "
    if summary.frames_with_face:
        text += f"a face in {summary.frames_with_face} of them."
    else:
        text += f"no face in any of them. {panel.NO_FACE.partition('. ')[2]}"
    return panel.message(text) + "".join(panel.message(warning, alert=True) for warning in summary.warnings)


def people(tracks: Mapping[int, Track]) -> list[tuple[str, int]]:
    """Returns whom one can choose: (description, number of the track), those seen longest first."""
    longest = sorted(tracks.items(), key=lambda item: -len(item[1].times_s))[:MOST_PEOPLE]
    return [(_described(number, track), number) for number, track in longest]


def _described(number: int, track: Track) -> str:
    tops = Counter(max(row, key=row.__getitem__) for row in track.probabilities)
    (emotion, count), total = tops.most_common(1)[0], len(track.times_s)
    return f"face {number}: {track.times_s[0]:.1f} to {track.times_s[-1]:.1f} s, {count / total:.0%} {emotion}"
