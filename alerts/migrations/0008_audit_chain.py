"""The chain over the audit trail: a digest in each entry, a seal for each, and the chain's end."""

from typing import ClassVar

import django.utils.timezone
from django.db import migrations, models
from django.db.models import Max

TABLE = "alerts_auditseal"
POSTGRESQL = f"""
CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE ON {TABLE}
FOR EACH ROW EXECUTE FUNCTION alerts_auditentry_append_only();
"""
#: SQLite makes a table anew to give it a column, and loses its triggers.
SQLITE = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {table}_append_only BEFORE UPDATE ON {table}"
    " BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END;"
    for table in ("alerts_auditentry", TABLE)
)


def add_triggers(apps, schema_editor):
    for statement in (POSTGRESQL,) if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement)


def drop_triggers(apps, schema_editor):
    on = f" ON {TABLE}" if schema_editor.connection.vendor == "postgresql" else ""
    schema_editor.execute(f"DROP TRIGGER {TABLE}_append_only{on}")


def begin(apps, schema_editor):
    """Note which entries were there before; the first sealing takes them as they are."""
    last = apps.get_model("alerts", "AuditEntry").objects.aggregate(last=Max("pk"))["last"] or 0
    apps.get_model("alerts", "AuditHead").objects.get_or_create(pk=1, defaults={"legacy_id": last})


class Migration(migrations.Migration):
    dependencies: ClassVar = [("alerts", "0007_fill_workspace")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("entry_id", models.BigIntegerField(unique=True)),
                ("mac", models.CharField(max_length=64)),
                ("digest", models.CharField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="AuditHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.BigIntegerField(default=0)),
                ("digest", models.CharField(default="0" * 64, max_length=64)),
                ("entry_id", models.BigIntegerField(default=0)),
                ("legacy_id", models.BigIntegerField(default=0)),
                ("key_name", models.CharField(blank=True, max_length=16)),
                ("sealed_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name="auditentry",
            name="mac",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="auditentry",
            name="created_at",
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
        migrations.RunPython(add_triggers, drop_triggers),
    ]
