import django.core.validators
import django.utils.timezone
from django.db import migrations, models

import videos.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("author", models.CharField(max_length=60)),
                ("text", models.TextField(max_length=500)),
                ("node", models.CharField(max_length=64)),
                ("written", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Video",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        default=videos.models.new_key, editable=False, max_length=32, unique=True
                    ),
                ),
                ("title", models.CharField(blank=True, max_length=120)),
                (
                    "original",
                    models.FileField(
                        upload_to=videos.models.original_path,
                        validators=[
                            django.core.validators.FileExtensionValidator(
                                (
                                    "mp4",
                                    "m4v",
                                    "mov",
                                    "3gp",
                                    "mkv",
                                    "webm",
                                    "avi",
                                    "flv",
                                    "wmv",
                                    "ogv",
                                    "mpg",
                                    "mpeg",
                                    "ts",
                                )
                            )
                        ],
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "waiting for a video node"),
                            ("making", "being made"),
                            ("ready", "ready"),
                            ("failed", "failed"),
                        ],
                        db_index=True,
                        default="queued",
                        max_length=8,
                    ),
                ),
                ("attempt", models.PositiveIntegerField(default=1)),
                ("words", models.CharField(blank=True, help_text="why it failed", max_length=500)),
                ("node_received", models.CharField(max_length=64)),
                ("node_made", models.CharField(blank=True, max_length=64)),
                ("uploaded", models.DateTimeField(default=django.utils.timezone.now)),
                ("changed", models.DateTimeField(default=django.utils.timezone.now)),
                ("seconds", models.FloatField(help_text="how long it plays", null=True)),
                (
                    "work_seconds",
                    models.FloatField(help_text="how long it took to make", null=True),
                ),
            ],
            options={
                "ordering": ["-uploaded", "-pk"],
            },
        ),
    ]
