from pathlib import Path

from django import forms
from django.conf import settings
from django.template.defaultfilters import filesizeformat

from .models import SUFFIXES, Note, Video


class UploadForm(forms.ModelForm):
    class Meta:
        model = Video
        fields = ["original", "title"]
        labels = {"original": "Video file"}
        widgets = {
            "original": forms.FileInput(
                attrs={"accept": ",".join(f".{suffix}" for suffix in SUFFIXES)}
            ),
            "title": forms.TextInput(
                attrs={"placeholder": "What is it? (its file name, if empty)"}
            ),
        }

    def clean_original(self):
        file = self.cleaned_data["original"]
        limit = settings.MAX_UPLOAD_MB * 1024 * 1024
        if file.size > limit:
            raise forms.ValidationError(
                f"This file has {filesizeformat(file.size)}; the limit is {filesizeformat(limit)}."
            )
        return file

    def clean(self):
        data = super().clean()
        if not data.get("title") and data.get("original"):
            data["title"] = Path(data["original"].name).stem.replace("_", " ")[:120]
        return data


class NoteForm(forms.ModelForm):
    class Meta:
        model = Note
        fields = ["author", "text"]
        labels = {"author": "Your name", "text": "Your words"}
        widgets = {"text": forms.Textarea(attrs={"rows": 3})}
