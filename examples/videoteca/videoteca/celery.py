"""The Celery application: ``celery --app videoteca worker`` on a video node."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoteca.settings")

app = Celery("videoteca")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
