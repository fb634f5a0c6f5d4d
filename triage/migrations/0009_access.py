"""How people get in: sessions of their own table, second factors, single sign-on, counted attempts, tokens that end."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

USER = settings.AUTH_USER_MODEL
CASCADE = django.db.models.deletion.CASCADE


class Migration(migrations.Migration):
    dependencies: ClassVar = [("triage", "0008_workspace")]

    operations: ClassVar = [
        migrations.AddField("apitoken", "name", models.CharField(blank=True, default="", max_length=80), preserve_default=False),
        migrations.AddField("apitoken", "expires_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("apitoken", "last_used_at", models.DateTimeField(blank=True, null=True)),
        migrations.CreateModel(
            name="AttemptCount",
            fields=[
                ("bucket", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("count", models.IntegerField()),
                ("ends_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="SecondFactor",
            fields=[
                ("user", models.OneToOneField(on_delete=CASCADE, primary_key=True, related_name="second_factor", serialize=False, to=USER)),
                ("sealed", models.CharField(max_length=200)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("last_step", models.BigIntegerField(default=0)),
                ("recovery_hashes", models.JSONField(default=list)),
            ],
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("session_key", models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name="session key")),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("agent", models.CharField(blank=True, max_length=200)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("user", models.ForeignKey(null=True, on_delete=CASCADE, related_name="sessions", to=USER)),
            ],
            options={"verbose_name": "session", "verbose_name_plural": "sessions", "abstract": False},
        ),
        migrations.CreateModel(
            name="SsoIdentity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("issuer", models.CharField(max_length=300)),
                ("subject", models.CharField(max_length=255)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("user", models.OneToOneField(on_delete=CASCADE, related_name="sso_identity", to=USER)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("issuer", "subject"), name="one_person_per_subject")]
            },
        ),
    ]
