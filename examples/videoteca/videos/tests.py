"""The site by itself: ``./manage.py test``. Needs ffmpeg, and neither MySQL nor Redis.

Without a broker the task runs at once, so an upload in a test makes a real film.
"""
# ruff: noqa: PT009, PT027 (Django's tests are unittest's)

import json
import logging
import re
import subprocess
import tempfile
import threading
from contextlib import redirect_stdout
from datetime import timedelta
from functools import cache, partial
from io import StringIO
from pathlib import Path
from unittest import mock

from celery.exceptions import Reject
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client, TestCase, override_settings
from django.utils import timezone

from . import film, health, tasks
from .models import PATIENCE, Note, Video


def setUpModule():
    """Real static files with real hashes, in folders that go away."""
    folder = tempfile.TemporaryDirectory(prefix="videoteca-test-")
    root = Path(folder.name)
    (root / "media").mkdir()
    places = override_settings(
        STATIC_ROOT=root / "static", MEDIA_ROOT=root / "media", NODE_NAME="server-7"
    )
    places.enable()
    call_command("collectstatic", verbosity=0, interactive=False)
    logging.disable(logging.CRITICAL)  # the refusals and failures that the tests provoke
    tearDownModule.after = [
        partial(logging.disable, logging.NOTSET),
        places.disable,
        folder.cleanup,
    ]


def tearDownModule():
    for step in tearDownModule.after:
        step()


@cache
def sample(size: str = "320x240") -> bytes:
    """Two seconds of moving test picture with a tone."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        subprocess.run(
            [
                *("ffmpeg", "-v", "error", "-y"),
                *(
                    "-f",
                    "lavfi",
                    "-i",
                    f"testsrc2=s={size}:d=2:r=12",
                    "-f",
                    "lavfi",
                    "-i",
                    "sine=d=2",
                ),
                *("-c:v", "mpeg4", "-c:a", "aac", file.name),
            ],
            check=True,
        )
        return Path(file.name).read_bytes()


def probe(path: Path) -> dict:
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)],
        check=True,
        capture_output=True,
    ).stdout
    return json.loads(out)


class SiteTest(TestCase):
    def upload(self, content: bytes, name: str = "holiday_film.mp4", **fields: str):
        file = SimpleUploadedFile(name, content, "video/mp4")
        with self.captureOnCommitCallbacks(execute=True):
            return self.client.post("/upload/", {"original": file, **fields})

    def saved(self, **values) -> Video:
        values = {"title": "t", "original": "uploads/x.mp4", "node_received": "server-7"} | values
        return Video.objects.create(**values)


class Pages(SiteTest):
    def test_every_page_names_its_node_and_release(self):
        video = self.saved()
        for path, status in [
            ("/", 200), ("/upload/", 200), ("/notes/", 200),
            (video.get_absolute_url(), 200), ("/videos/999/", 404), ("/nowhere", 404),
        ]:  # fmt: skip
            with self.subTest(path):
                answer = self.client.get(path)
                self.assertContains(answer, 'data-node="server-7"', status_code=status)
                self.assertContains(answer, settings.RELEASE, status_code=status)

    def test_an_error_page_names_its_node_too(self):
        self.client.raise_request_exception = False
        with mock.patch("videos.views.Paginator", side_effect=RuntimeError("broken")):
            answer = self.client.get("/")
        self.assertContains(answer, 'data-node="server-7"', status_code=500)

    def test_a_form_without_its_token_is_refused_by_a_page_that_names_its_node(self):
        answer = Client(enforce_csrf_checks=True).post("/notes/", {"author": "a", "text": "b"})
        self.assertContains(answer, 'data-node="server-7"', status_code=403)
        self.assertFalse(Note.objects.exists())

    def test_pages_load_nothing_from_elsewhere(self):
        for path in ("/", "/upload/", "/notes/"):
            loaded = re.findall(r'(?:src|href)="([^"]+)"', self.client.get(path).text)
            self.assertTrue(loaded)
            self.assertEqual([one for one in loaded if not re.match(r"/(?!/)", one)], [])

    def test_static_files_carry_a_hash_in_their_names(self):
        found = re.search(r"/static/(videos/site\.[0-9a-f]{12}\.css)", self.client.get("/").text)
        self.assertTrue((Path(settings.STATIC_ROOT) / found[1]).is_file())


class GuestBook(SiteTest):
    def test_a_note_is_written_and_read(self):
        answer = self.client.post("/notes/", {"author": "Ana", "text": "¡Qué bien! 🎬 <b>"})
        self.assertRedirects(answer, "/notes/")
        self.assertContains(self.client.get("/notes/"), "¡Qué bien! 🎬 &lt;b&gt;")
        self.assertEqual(Note.objects.get().node, "server-7")

    def test_an_empty_note_is_not_written(self):
        self.assertEqual(self.client.post("/notes/", {"author": "Ana"}).status_code, 422)
        self.assertFalse(Note.objects.exists())


class Uploads(SiteTest):
    def test_an_upload_becomes_a_film_with_a_poster(self):
        answer = self.upload(sample("1600x900"))
        video = Video.objects.get()
        self.assertRedirects(answer, f"/videos/{video.pk}/")
        self.assertEqual((video.state, video.words), ("ready", ""))
        self.assertEqual((video.node_received, video.node_made), ("server-7", "server-7"))
        self.assertEqual(video.title, "holiday film")
        media = Path(settings.MEDIA_ROOT)
        self.assertEqual((media / video.original.name).read_bytes(), sample("1600x900"))
        seen = probe(media / video.film_name)
        picture = next(one for one in seen["streams"] if one["codec_type"] == "video")
        self.assertEqual((picture["codec_name"], picture["height"]), ("h264", 720))
        self.assertEqual(picture["pix_fmt"], "yuv420p")
        self.assertAlmostEqual(float(seen["format"]["duration"]), 2, delta=0.2)
        self.assertEqual(probe(media / video.poster_name)["streams"][0]["codec_name"], "mjpeg")
        data = self.client.get(f"/videos/{video.pk}.json").json()
        self.assertEqual(data["mp4"], f"/media/videos/{video.key}.mp4")
        self.assertContains(self.client.get("/"), data["poster"])
        self.assertContains(self.client.get(answer["Location"]), data["mp4"])

    def test_a_film_can_be_played_while_it_loads(self):
        self.upload(sample())
        content = (Path(settings.MEDIA_ROOT) / Video.objects.get().film_name).read_bytes()
        self.assertLess(content.index(b"moov"), content.index(b"mdat"))

    def test_only_whole_files_are_left_and_the_web_server_may_read_them(self):
        self.upload(sample())
        self.upload(b"not a video at all")
        films = [p for p in Path(settings.MEDIA_ROOT).rglob("*") if p.is_file()]
        self.assertEqual([p for p in films if p.name.startswith(".")], [])
        self.assertEqual({p.stat().st_mode & 0o777 for p in films}, {0o644})

    def test_what_is_no_video_fails_with_words_and_without_paths(self):
        answer = self.upload(b"not a video at all")
        video = Video.objects.get()
        self.assertEqual(video.state, "failed")
        self.assertIn("Invalid data", video.words)
        self.assertNotIn("/", video.words)
        page = self.client.get(answer["Location"])
        self.assertContains(page, video.words)
        self.assertContains(page, "Try again")

    def test_a_play_list_in_a_videos_clothes_opens_no_other_file(self):
        self.upload(sample())
        other = Path(Video.objects.get().original.name).name
        self.upload(f"ffconcat version 1.0\nfile {other}\n".encode())
        self.assertEqual(Video.objects.first().state, "failed")

    def test_a_page_in_a_videos_clothes_is_refused(self):
        answer = self.upload(b"<script>", "film.html")
        self.assertContains(answer, "html", status_code=422)
        self.assertFalse(Video.objects.exists())

    @override_settings(MAX_UPLOAD_MB=0)
    def test_more_than_the_limit_is_refused(self):
        self.assertContains(self.upload(sample()), "the limit is", status_code=422)

    @override_settings(VIDEO_TIMEOUT=0.001)
    def test_a_film_that_takes_too_long_fails_with_words(self):
        self.upload(sample())
        self.assertIn("was not done after", Video.objects.get().words)


class Attempts(SiteTest):
    def ready(self) -> Video:
        self.upload(sample())
        return Video.objects.get()

    def test_a_second_message_for_the_same_attempt_changes_nothing(self):
        video = self.ready()
        made = (Path(settings.MEDIA_ROOT) / video.film_name).stat().st_mtime_ns
        self.assertIn("no longer wanted", tasks.make(video.pk, 1))
        self.assertEqual((Path(settings.MEDIA_ROOT) / video.film_name).stat().st_mtime_ns, made)

    def test_a_message_that_comes_again_after_a_crash_makes_the_film(self):
        video = self.ready()
        Video.objects.update(state="making", node_made="video-9")
        (Path(settings.MEDIA_ROOT) / video.film_name).unlink()
        tasks.make(video.pk, 1)
        video.refresh_from_db()
        self.assertEqual((video.state, video.node_made), ("ready", "server-7"))
        self.assertTrue((Path(settings.MEDIA_ROOT) / video.film_name).is_file())

    def test_a_forgotten_attempt_is_not_made(self):
        video = self.saved(attempt=2)
        tasks.make(video.pk, 1)
        video.refresh_from_db()
        self.assertEqual(video.state, "queued")

    def test_a_failed_video_can_be_asked_for_again(self):
        self.upload(b"not a video at all")
        video = Video.objects.get()
        (Path(settings.MEDIA_ROOT) / video.original.name).write_bytes(sample())
        with self.captureOnCommitCallbacks(execute=True):
            self.client.post(f"/videos/{video.pk}/again/")
        video.refresh_from_db()
        self.assertEqual((video.state, video.attempt, video.words), ("ready", 2, ""))

    def test_a_video_under_way_can_be_asked_for_again_only_after_a_long_silence(self):
        video = self.saved()
        with self.captureOnCommitCallbacks() as asked:
            self.client.post(f"/videos/{video.pk}/again/")
        self.assertEqual(asked, [])
        self.assertFalse(self.client.get(f"/videos/{video.pk}.json").json()["may_ask_again"])
        Video.objects.update(changed=timezone.now() - PATIENCE - timedelta(seconds=1))
        with self.captureOnCommitCallbacks() as asked:
            self.client.post(f"/videos/{video.pk}/again/")
        self.assertEqual(len(asked), 1)

    def test_a_worker_that_starts_takes_up_what_its_node_was_cut_off_from(self):
        self.upload(sample())
        Video.objects.update(state="making", node_made="server-7")
        other = self.saved(key="other", state="making", node_made="video-9")
        # In a test both share one connection, which has to live on.
        with (
            mock.patch("videos.tasks.connections.close_all"),
            self.captureOnCommitCallbacks(execute=True),
        ):
            tasks.take_up_again()
        first = Video.objects.exclude(pk=other.pk).get()
        self.assertEqual((first.state, first.attempt), ("ready", 2))
        other.refresh_from_db()
        self.assertEqual((other.state, other.attempt), ("making", 1))

    def test_a_video_whose_node_goes_down_goes_back_to_the_queue(self):
        video = self.saved()
        with (
            mock.patch("videos.tasks.film.make_film", side_effect=film.Interrupted("ffmpeg")),
            self.assertRaises(Reject) as raised,
        ):
            tasks.make(video.pk, 1)
        self.assertTrue(raised.exception.requeue)
        video.refresh_from_db()
        self.assertEqual(video.state, "making")

    def test_ffmpeg_that_is_told_to_stop_was_interrupted(self):
        endless = "ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=d=20 -f null -"
        with self.assertRaises(film.Interrupted):
            film._run(["sh", "-c", f"{endless} & sleep 1; kill $!; wait $!"], 15)


class Health(SiteTest):
    def test_a_node_that_has_everything_is_ok(self):
        answer = self.client.get("/healthz")
        self.assertEqual((answer.status_code, answer.text), (200, "ok\n"))
        self.assertIn("no-store", answer["Cache-Control"])

    @override_settings(MEDIA_ROOT="/nowhere/media")
    def test_a_node_without_its_share_says_so(self):
        answer = self.client.get("/healthz")
        self.assertEqual(answer.status_code, 503)
        self.assertEqual(answer.text, "share: No such file or directory\n")

    def test_a_share_that_hangs_costs_one_thread_however_often_it_is_asked(self):
        asked = []
        open_again = threading.Event()

        def hang(path):
            asked.append(path)
            open_again.wait(20)

        with mock.patch("videos.health.os.stat", hang), mock.patch("videos.health.PATIENCE", 0.05):
            answers = [self.client.get("/healthz") for _ in range(3)]
            open_again.set()
            health.Probe.current.join()
        self.assertEqual({answer.status_code for answer in answers}, {503})
        self.assertIn("no answer", answers[0].text)
        self.assertEqual(len(asked), 1)
        self.assertEqual(self.client.get("/healthz").status_code, 200)

    def test_a_process_says_which_one_it_is(self):
        said = self.client.get("/whoami").json()
        self.assertEqual((said["node"], said["release"]), ("server-7", settings.RELEASE))
        self.assertEqual(said["worker_started"], settings.STARTED)
        self.assertIsInstance(said["pid"], int)


class Migrations(TestCase):
    def test_the_models_have_no_change_without_a_migration(self):
        with redirect_stdout(StringIO()):
            call_command("makemigrations", check=True, dry_run=True)


class SmokeTestIsRemoved(TestCase):
    """Visitors never see for long what a smoke test made."""

    def make(self, mark, age=timedelta(0)):
        when = timezone.now() - age
        Note.objects.create(author=mark, text="x", node="server-2", written=when)
        file = SimpleUploadedFile("a.mp4", b"not much")
        video = Video.objects.create(
            title=mark, original=file, node_received="server-2", uploaded=when
        )
        for name in (video.film_name, video.poster_name):
            path = Path(settings.MEDIA_ROOT) / name
            path.parent.mkdir(exist_ok=True)
            path.touch()
        return video

    def files(self, video):
        names = (video.original.name, video.film_name, video.poster_name)
        return [name for name in names if (Path(settings.MEDIA_ROOT) / name).exists()]

    def test_its_own_and_old_ones_go_with_their_files_and_nothing_else(self):
        mine, other, old = (f"Smoke test {digit * 32}" for digit in "abc")
        video = self.make(mine)
        self.make(other)
        self.make(old, timedelta(hours=2))
        self.make("Smoke test of my new camera", timedelta(hours=2))
        with redirect_stdout(StringIO()) as said:
            call_command("remove_smoke_tests", mine)
        self.assertEqual(said.getvalue(), "4 removed\n")
        left = {other, "Smoke test of my new camera"}
        self.assertEqual({video.title for video in Video.objects.all()}, left)
        self.assertEqual({note.author for note in Note.objects.all()}, left)
        self.assertEqual(self.files(video), [])

    def test_a_mark_that_a_visitor_could_have_removes_nothing(self):
        self.make("Holidays")
        with redirect_stdout(StringIO()):
            call_command("remove_smoke_tests", "Holidays")
        self.assertEqual(Video.objects.count(), 1)

    def test_a_video_that_is_taken_away_while_it_is_made_leaves_no_files(self):
        video = self.make("Holidays")

        def work(_):
            Video.objects.all().delete()
            (Path(settings.MEDIA_ROOT) / video.film_name).touch()
            return 2.0

        with mock.patch.object(tasks, "_make", work):
            said = tasks.make(video.pk, video.attempt)
        self.assertIn("taken away", said)
        self.assertEqual(self.files(video), [])
