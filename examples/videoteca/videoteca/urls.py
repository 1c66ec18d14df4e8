"""Every address of the site. Static files and media belong to nginx."""

from django.conf import settings
from django.conf.urls.static import static
from django.urls import path
from videos import health, views

urlpatterns = [
    path("", views.library, name="library"),
    path("upload/", views.upload, name="upload"),
    path("videos/<int:pk>/", views.video, name="video"),
    path("videos/<int:pk>.json", views.video_json, name="video-json"),
    path("videos/<int:pk>/again/", views.again, name="again"),
    path("notes/", views.notes, name="notes"),
    path("healthz", health.healthz, name="healthz"),
    path("whoami", health.whoami, name="whoami"),
    # Only in a developer's checkout (DJANGO_DEBUG=1), where there is no nginx.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
