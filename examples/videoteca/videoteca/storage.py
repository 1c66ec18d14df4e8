"""Static files whose names carry a hash of their content, so that they can be cached for ever."""

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class ReleaseStaticFilesStorage(ManifestStaticFilesStorage):
    """One manifest per release.

    All releases share STATIC_ROOT. With one manifest, a worker of the old release that
    starts while the new one is being deployed would look for its files in the new list.
    """

    manifest_name = f"staticfiles-{settings.RELEASE}.json"
