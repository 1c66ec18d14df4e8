"""ffmpeg: from whatever a visitor sent to what every browser plays.

Nothing here knows Django or Celery. Files are written under a temporary name in their own
folder and renamed, so that a name below MEDIA_ROOT always is a whole file.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# A play list or a concat script in a video's clothes would let ffmpeg open other files and
# addresses on behalf of the visitor: containers only, and only the one file.
CONTAINERS = "mov,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,flv,asf"
INPUT = ("-protocol_whitelist", "file", "-format_whitelist", CONTAINERS)

FFMPEG = ("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y")
FIT_720P = (
    "scale=w='min(1280,iw)':h='min(720,ih)'"
    ":force_original_aspect_ratio=decrease:force_divisible_by=2"
)


class FilmError(Exception):
    """ffmpeg could not make it; ``str()`` says why, for the visitor."""


class Interrupted(Exception):
    """ffmpeg was told to stop: the node is going down, the video is not to blame."""


def make_film(source: Path, film: Path, *, threads: int, timeout: float) -> None:
    """Write ``film``: MP4, H.264 and AAC, at most 720p, playable while it loads.

    ``threads`` 0 lets ffmpeg take all cores; ``timeout`` in seconds.
    """
    count = str(threads)
    with _new(film) as new:
        _run(
            [
                *(*FFMPEG, "-filter_threads", count),
                *("-threads", count, *INPUT, "-i", f"file:{source}"),
                *("-map", "0:v:0", "-map", "0:a:0?", "-map_metadata", "-1"),
                *("-vf", FIT_720P, "-pix_fmt", "yuv420p"),
                *("-c:v", "libx264", "-preset", "veryfast", "-crf", "23"),
                *("-c:a", "aac", "-b:a", "128k", "-ac", "2", "-threads", count),
                *("-movflags", "+faststart", "-f", "mp4", f"file:{new}"),
            ],
            timeout,
        )


def make_poster(film: Path, poster: Path, *, timeout: float) -> None:
    """Write ``poster``: a JPEG of the most typical of the first frames of ``film``."""
    with _new(poster) as new:
        _run(
            [
                *(*FFMPEG, "-threads", "1", "-i", f"file:{film}", "-vf", "thumbnail=n=24"),
                *("-frames:v", "1", "-c:v", "mjpeg", "-q:v", "3", "-threads", "1"),
                *("-f", "image2", "-update", "1", f"file:{new}"),
            ],
            timeout,
        )


def seconds_of(film: Path) -> float:
    """How long a film plays."""
    said = _run(
        [
            *("ffprobe", "-v", "error", "-show_entries", "format=duration"),
            *("-of", "default=noprint_wrappers=1:nokey=1", f"file:{film}"),
        ],
        60,
    )
    try:
        return float(said)
    except ValueError:
        raise FilmError(f"the film has no length: {said.strip()!r}") from None


@contextmanager
def _new(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes ``path`` if all goes well and vanishes otherwise."""
    path.parent.mkdir(exist_ok=True)
    # The same name each time: what a killed worker left behind is replaced by the next try.
    new = path.with_name(f".{path.stem}.{os.uname().nodename}{path.suffix}")
    try:
        yield new
        new.chmod(0o644)  # nginx reads it, as another user
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _run(argv: Sequence[str], timeout: float) -> str:
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise FilmError(f"{argv[0]} was not done after {timeout:.0f} s") from None
    except FileNotFoundError:
        raise FilmError(f"{argv[0]} is not installed on this node") from None
    if done.returncode in {255, -15, -2}:  # 255: ffmpeg after SIGTERM
        raise Interrupted(argv[0])
    if done.returncode < 0:
        raise FilmError(f"{argv[0]} was killed by signal {-done.returncode}")
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = lines[-1] if lines else f"exit {done.returncode}"
        # Before the last colon is the path of the file, which is nobody's business.
        raise FilmError(f"{argv[0]}: {said.rpartition(': ')[2]}")
    return done.stdout.decode()
