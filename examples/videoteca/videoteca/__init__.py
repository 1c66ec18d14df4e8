"""A small library of videos, served by as many nodes as it needs."""

import pymysql

# Django knows the MySQL driver by this name; PyMySQL is plain Python, nothing has to compile.
pymysql.install_as_MySQLdb()

from .celery import app as celery_app  # noqa: E402  (Celery imports the settings, which need the driver)

__all__ = ["celery_app"]
