"""Where a page was made."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def node_name() -> str:
    """The node that serves this page."""
    return settings.NODE_NAME


@register.simple_tag
def release_name() -> str:
    """The release it runs."""
    return settings.RELEASE
