from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from . import tasks
from .forms import NoteForm, UploadForm
from .models import Note, Video

NOTES_SHOWN = 50


@require_safe
def library(request: HttpRequest) -> HttpResponse:
    page = Paginator(Video.objects.all(), 24).get_page(request.GET.get("page"))
    return render(request, "videos/library.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        new = form.save(commit=False)
        new.node_received = settings.NODE_NAME
        tasks.submit(new)
        return redirect(new)
    return render(
        request,
        "videos/upload.html",
        {"form": form, "limit_mb": settings.MAX_UPLOAD_MB},
        status=422 if form.errors else 200,
    )


@require_safe
def video(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "videos/video.html", {"video": get_object_or_404(Video, pk=pk)})


@never_cache
@require_safe
def video_json(request: HttpRequest, pk: int) -> JsonResponse:
    return JsonResponse(get_object_or_404(Video, pk=pk).data())


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a video once more, where the first time came to nothing."""
    stuck = get_object_or_404(Video, pk=pk)
    if stuck.may_ask_again:
        tasks.resubmit(stuck)
    return redirect(stuck)


@require_http_methods(["GET", "HEAD", "POST"])
def notes(request: HttpRequest) -> HttpResponse:
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.instance.node = settings.NODE_NAME
        form.save()
        return redirect("notes")
    return render(
        request,
        "videos/notes.html",
        {"form": form, "notes": Note.objects.all()[:NOTES_SHOWN]},
        status=422 if form.errors else 200,
    )
