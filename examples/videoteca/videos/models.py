"""Videos, and notes in the guest book."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.validators import FileExtensionValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone

CONTAINERS = ("mp4", "m4v", "mov", "3gp", "mkv", "webm", "avi", "flv", "wmv", "ogv")
STREAMS = ("mpg", "mpeg", "ts")
SUFFIXES = CONTAINERS + STREAMS
"""What an upload may be called. nginx serves it by this suffix, so never .html or .svg."""
PATIENCE = timedelta(minutes=3)
"""After so long without news a visitor may ask for a video again."""


def new_key() -> str:
    """A name for the files of a video that nobody can guess or collide with."""
    return uuid.uuid4().hex


def original_path(video: Video, filename: str) -> str:
    """Where an upload is kept, below MEDIA_ROOT."""
    return f"uploads/{video.key}{Path(filename).suffix.lower()}"


class Video(models.Model):
    """An upload and what was made of it.

    ``attempt`` is a fence: a task acts only on the attempt it was sent for, so one that was
    forgotten in the queue, or comes back late from a node that was lost, changes nothing.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "waiting for a video node"
        MAKING = "making", "being made"
        READY = "ready", "ready"
        FAILED = "failed", "failed"

    key = models.CharField(max_length=32, unique=True, default=new_key, editable=False)
    title = models.CharField(max_length=120, blank=True)
    original = models.FileField(
        upload_to=original_path, validators=[FileExtensionValidator(SUFFIXES)]
    )
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED, db_index=True)
    attempt = models.PositiveIntegerField(default=1)
    words = models.CharField(max_length=500, blank=True, help_text="why it failed")
    node_received = models.CharField(max_length=64)
    node_made = models.CharField(max_length=64, blank=True)
    uploaded = models.DateTimeField(default=timezone.now)
    changed = models.DateTimeField(default=timezone.now)
    seconds = models.FloatField(null=True, help_text="how long it plays")
    work_seconds = models.FloatField(null=True, help_text="how long it took to make")

    class Meta:
        ordering = ["-uploaded", "-pk"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("video", args=[self.pk])

    @property
    def film_name(self) -> str:
        """The MP4, below MEDIA_ROOT."""
        return f"videos/{self.key}.mp4"

    @property
    def poster_name(self) -> str:
        """The JPEG, below MEDIA_ROOT."""
        return f"posters/{self.key}.jpg"

    def forget(self) -> None:
        """Take it away, with its files; a task that is still at them does the same at its end."""
        self.delete()
        self.delete_files()

    def delete_files(self) -> None:
        """Take away the upload and what was made of it; what is not there is no mistake."""
        for name in (self.original.name, self.film_name, self.poster_name):
            default_storage.delete(name)

    @property
    def ready(self) -> bool:
        return self.state == self.State.READY

    @property
    def failed(self) -> bool:
        return self.state == self.State.FAILED

    @property
    def mp4(self) -> str:
        """The MP4's address; empty until there is one."""
        return default_storage.url(self.film_name) if self.ready else ""

    @property
    def poster(self) -> str:
        """The poster's address; empty until there is one."""
        return default_storage.url(self.poster_name) if self.ready else ""

    @property
    def may_ask_again(self) -> bool:
        """Whether it failed, or nobody has said anything about it for too long."""
        longest = PATIENCE + timedelta(seconds=settings.VIDEO_TIMEOUT)
        silence = {self.State.QUEUED: PATIENCE, self.State.MAKING: longest}.get(self.state)
        return self.failed or (silence is not None and timezone.now() - self.changed > silence)

    @property
    def length(self) -> str:
        """How long it plays, as players write it: 1:05."""
        if self.seconds is None:
            return ""
        minutes, seconds = divmod(round(self.seconds), 60)
        return f"{minutes}:{seconds:02d}"

    def data(self) -> dict[str, str | float | bool | None]:
        """What scripts get to know."""
        return {
            "id": self.pk,
            "title": self.title,
            "state": self.state,
            "words": self.words,
            "may_ask_again": self.may_ask_again,
            "original": self.original.url,
            "mp4": self.mp4,
            "poster": self.poster,
            "seconds": self.seconds,
            "node_received": self.node_received,
            "node_made": self.node_made,
        }


class Note(models.Model):
    """A line in the guest book."""

    author = models.CharField(max_length=60)
    text = models.TextField(max_length=500)
    node = models.CharField(max_length=64)
    written = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"
