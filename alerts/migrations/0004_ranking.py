import django.db.models.deletion
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0003_audit_append_only"),
        ("triage", "0006_drift_shadow_policy"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RankingModel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("retired", "Retired"), ("refused", "Not used")], max_length=16
                    ),
                ),
                ("state", models.TextField(blank=True)),
                ("state_sha256", models.CharField(blank=True, max_length=64)),
                ("report", models.JSONField(default=dict)),
                ("n_labels", models.PositiveIntegerField()),
                (
                    "last_verdict_id",
                    models.BigIntegerField(default=0, help_text="The newest verdict when it was learned."),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.RemoveIndex(
            model_name="alert",
            name="alert_queue",
        ),
        migrations.AddField(
            model_name="alert",
            name="kind",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="alert",
            name="worth",
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="rankingmodel",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "active")), fields=("status",), name="rankingmodel_one_active"
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="ranking",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="alerts.rankingmodel",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="place",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.comparison.Coalesce("worth", models.Value(1.0)),
                output_field=models.FloatField(),
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                fields=["status", "-place", "-severity_rank", "-last_seen_at"], name="alert_queue_place"
            ),
        ),
    ]
