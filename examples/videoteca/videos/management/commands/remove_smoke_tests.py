"""What a smoke test has made goes again: visitors are not to see it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Q
from django.utils import timezone

from videos.models import Note, Video

MARK = r"^Smoke test [0-9a-f]{32}$"
"""The title of its videos and the author of its notes: nobody types that by chance."""


class Command(BaseCommand):
    """``manage.py remove_smoke_tests "Smoke test 0123…"``; run by smoke.py at its end."""

    help = "Remove the videos and notes of a smoke test, and of older ones that were killed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("mark", help="the title and author of this smoke test")
        parser.add_argument("--older", type=int, default=3600, help="seconds (%(default)s)")

    def handle(self, *args: Any, mark: str, older: int, **options: Any) -> None:
        before = timezone.now() - timedelta(seconds=older)
        videos = Video.objects.filter(
            Q(title=mark) | Q(title__regex=MARK, uploaded__lt=before), title__regex=MARK
        )
        notes = Note.objects.filter(
            Q(author=mark) | Q(author__regex=MARK, written__lt=before), author__regex=MARK
        )
        count = len(videos) + len(notes)
        for video in videos:
            video.forget()
        notes.delete()
        self.stdout.write(f"{count} removed")
