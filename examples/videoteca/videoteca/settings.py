"""Settings. What differs from node to node comes from the environment (see README.rst)."""

import os
import socket
import time
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

STARTED = time.time()
"""When this process began; a reload shows in /whoami as a later time."""


def words(name: str, default: str = "") -> list[str]:
    """A comma separated variable as a list."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def switch(name: str) -> bool:
    """A variable that is on or off; off when it is not set."""
    return os.environ.get(name, "").lower() in {"1", "true", "yes", "on"}


# Resolved, because a process that was started through the `current` link belongs to the
# release that the link pointed to at that moment.
BASE_DIR = Path(__file__).resolve().parent.parent
RELEASE = BASE_DIR.parent.name if BASE_DIR.parent.parent.name == "releases" else "checkout"
NODE_NAME = os.environ.get("NODE_NAME") or socket.gethostname()

IN_CLUSTER = bool(os.environ.get("DATABASE_HOST"))
"""Without a database server this is a developer's checkout: everything below var/."""
VAR = BASE_DIR / "var"

DEBUG = switch("DJANGO_DEBUG")
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "")
if not SECRET_KEY:
    if IN_CLUSTER:
        raise ImproperlyConfigured("DJANGO_SECRET_KEY is not set, but DATABASE_HOST is")
    SECRET_KEY = "a checkout keeps no secrets"  # noqa: S105
SECRET_KEY_FALLBACKS = os.environ.get("DJANGO_SECRET_KEY_FALLBACKS", "").split()

ALLOWED_HOSTS = words("DJANGO_ALLOWED_HOSTS", "" if IN_CLUSTER else "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS")
if switch("DJANGO_SECURE"):
    CSRF_COOKIE_SECURE = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = ["django.contrib.staticfiles", "videos"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "videoteca.urls"
WSGI_APPLICATION = "videoteca.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            # A tag, not a context processor: error pages are rendered without a request.
            "builtins": ["django.templatetags.static", "videos.templatetags.node"],
        },
    }
]

if IN_CLUSTER:
    # 0 waits for ever. Where the central node went down without a word, a page that waits
    # on it would hold its worker for many minutes.
    patience = int(os.environ.get("DATABASE_READ_TIMEOUT", "30")) or None
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "HOST": os.environ["DATABASE_HOST"],
            "PORT": os.environ.get("DATABASE_PORT", "3306"),
            "NAME": os.environ.get("DATABASE_NAME", "videoteca"),
            "USER": os.environ.get("DATABASE_USER", "videoteca"),
            "PASSWORD": os.environ.get("DATABASE_PASSWORD", ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                "charset": "utf8mb4",
                "connect_timeout": 5,
                "read_timeout": patience,
                "write_timeout": patience,
                "init_command": "SET sql_mode='STRICT_TRANS_TABLES'",
            },
        }
    }
else:
    VAR.mkdir(exist_ok=True)
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": VAR / "videoteca.sqlite3",
            "OPTIONS": {"timeout": 20},
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT") or VAR / "static")
MEDIA_URL = "/media/"
MEDIA_ROOT = Path(os.environ.get("MEDIA_ROOT") or VAR / "media")
if MEDIA_ROOT.parent == VAR:
    MEDIA_ROOT.mkdir(parents=True, exist_ok=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS = 0o644  # nginx reads them, as another user
MAX_UPLOAD_MB = int(os.environ.get("MAX_UPLOAD_MB", "200"))
"""Only shown and checked in the form: nginx is what refuses a larger upload."""

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "")
# A checkout needs no Redis: the upload waits for its video.
CELERY_TASK_ALWAYS_EAGER = not CELERY_BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # the central node may be away for long
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than the longest work, or the same video is begun a second time.
    "visibility_timeout": int(os.environ.get("CELERY_VISIBILITY_TIMEOUT", "7200")),
    "socket_connect_timeout": 3,
    # After a power cut of the broker's node nobody says that the old connection is dead; a
    # worker that is told to end then would wait for an answer on it for ever.
    "socket_timeout": 10,
    "socket_keepalive": True,
    "health_check_interval": 30,
}
BESIDE_ANOTHER = switch("CELERY_BESIDE_ANOTHER")
"""Another worker of this node, of the release before, still has a task."""
VIDEO_THREADS = int(os.environ.get("VIDEO_THREADS", "1"))
VIDEO_TIMEOUT = int(os.environ.get("VIDEO_TIMEOUT", "3600"))
"""Seconds that one run of ffmpeg may take."""

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"journal": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        # Django's own handlers print nothing outside DEBUG and write mail to nobody.
        "django": {"handlers": ["journal"], "level": "INFO", "propagate": False},
        "videos": {"handlers": ["journal"], "level": "INFO", "propagate": False},
    },
}
