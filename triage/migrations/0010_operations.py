"""The canary: a source that is nobody's, and what became of each run."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("triage", "0009_access")]

    operations: ClassVar = [
        # With a default in the database, so that a web process of the release before goes on adding sources.
        migrations.AddField(
            "source",
            "synthetic",
            models.BooleanField(default=False, db_default=False, help_text="The canary's (see triage.canary)."),
        ),
        migrations.CreateModel(
            name="CanaryRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slot", models.BigIntegerField(unique=True)),
                ("started_at", models.DateTimeField()),
                ("tried_at", models.DateTimeField(null=True)),
                (
                    "via",
                    models.CharField(
                        blank=True, help_text="http, or the database where no address is known.", max_length=8
                    ),
                ),
                ("received_at", models.DateTimeField(null=True)),
                ("stored_at", models.DateTimeField(null=True)),
                ("grouped_at", models.DateTimeField(null=True)),
                ("explained_at", models.DateTimeField(null=True)),
                ("row", models.JSONField(null=True)),
                ("problem", models.CharField(blank=True, max_length=300)),
            ],
            options={"ordering": ["-slot"]},
        ),
    ]
