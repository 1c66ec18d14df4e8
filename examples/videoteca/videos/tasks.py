"""How a video gets from an upload to its film: one task, on a video node."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from celery import Task, shared_task
from celery.exceptions import Reject
from celery.signals import worker_ready
from django.conf import settings
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from . import film
from .models import Video

log = logging.getLogger(__name__)


def submit(video: Video) -> None:
    """Save a new video and ask for its film, once the row is there for others to see."""
    with transaction.atomic():
        video.save()
        transaction.on_commit(partial(send, video.pk, video.attempt))


def resubmit(video: Video) -> None:
    """Ask again; whatever was asked for before no longer counts."""
    with transaction.atomic():
        asked = Video.objects.filter(pk=video.pk, attempt=video.attempt)
        if asked.update(
            attempt=video.attempt + 1,
            state=Video.State.QUEUED,
            words="",
            node_made="",
            changed=timezone.now(),
        ):
            transaction.on_commit(partial(send, video.pk, video.attempt + 1))


def send(pk: int, attempt: int) -> None:
    """Tell the video nodes. Where the queue is away the video says so and can be asked again."""
    try:
        make.delay(pk, attempt)
    except BrokerError as error:
        log.warning("video %s: the queue does not answer: %s", pk, error)
        _settle(pk, attempt, state=Video.State.FAILED, words="The queue did not answer.")


@shared_task(
    bind=True,
    name="videos.make",
    autoretry_for=(OperationalError, InterfaceError),
    retry_backoff=2,
    retry_backoff_max=60,
    max_retries=30,
)
def make(self: Task, pk: int, attempt: int) -> str:
    """Make film and poster of a video. Any number of times, anywhere: the result is the same."""
    claimed = _settle(
        pk, attempt, state=Video.State.MAKING, node_made=settings.NODE_NAME, words=""
    )
    if not claimed:
        return f"video {pk}: attempt {attempt} is no longer wanted"
    video = Video.objects.filter(pk=pk).first()
    if video is None:
        return f"video {pk}: taken away meanwhile"
    began = time.monotonic()
    try:
        seconds = _make(video)
    except film.Interrupted as error:
        raise Reject(f"video {pk}: interrupted", requeue=True) from error
    except (film.FilmError, OSError) as error:
        if not Video.objects.filter(pk=pk).exists():
            video.delete_files()
            return f"video {pk}: taken away meanwhile"
        log.warning("video %s: %s", pk, error)
        _settle(pk, attempt, state=Video.State.FAILED, words=str(error)[:500])
        return f"video {pk}: failed"
    work = time.monotonic() - began
    kept = _settle(pk, attempt, state=Video.State.READY, seconds=seconds, work_seconds=work)
    if not kept and not Video.objects.filter(pk=pk).exists():
        video.delete_files()
        return f"video {pk}: taken away meanwhile"
    return f"video {pk}: {seconds:.1f} s of film in {work:.1f} s"


@worker_ready.connect
def take_up_again(**_: object) -> None:
    """Ask again for what this node was cut off from, and for what the queue has forgotten."""
    unfinished = Q(state=Video.State.QUEUED, changed__lt=timezone.now() - timedelta(minutes=1))
    # After a deploy the worker of the release before may still be making one.
    if not settings.BESIDE_ANOTHER:
        unfinished |= Q(state=Video.State.MAKING, node_made=settings.NODE_NAME)
    try:
        for video in Video.objects.filter(unfinished).order_by("pk"):
            resubmit(video)
    except OperationalError as error:
        log.warning("could not look for unfinished videos: %s", error)
    finally:
        connections.close_all()  # this process only forks those that do the work


def _make(video: Video) -> float:
    root = Path(settings.MEDIA_ROOT)
    path, poster = root / video.film_name, root / video.poster_name
    film.make_film(
        root / video.original.name,
        path,
        threads=settings.VIDEO_THREADS,
        timeout=settings.VIDEO_TIMEOUT,
    )
    film.make_poster(path, poster, timeout=120)
    return film.seconds_of(path)


def _settle(pk: int, attempt: int, **values: object) -> bool:
    """Write down where a video stands, unless this attempt is over or no longer counts."""
    open_ = Video.objects.filter(
        pk=pk, attempt=attempt, state__in=[Video.State.QUEUED, Video.State.MAKING]
    )
    return bool(open_.update(changed=timezone.now(), **values))
