"""Chunks say what they hold, so that a search opens few of them; people's preferences."""

from django.db import migrations, models


def body_last(apps, schema_editor):
    """Move the large column behind the small ones: SQLite walks through it to reach what stands after it."""
    if schema_editor.connection.vendor != "sqlite":
        return
    table = "triage_eventchunk"
    schema_editor.execute(f"ALTER TABLE {table} ADD COLUMN body_last BLOB NOT NULL DEFAULT x''")
    schema_editor.execute(f"UPDATE {table} SET body_last = body")
    schema_editor.execute(f"ALTER TABLE {table} DROP COLUMN body")
    schema_editor.execute(f"ALTER TABLE {table} RENAME COLUMN body_last TO body")


class Migration(migrations.Migration):

    dependencies = [
        ('triage', '0007_event_windows'),
    ]

    operations = [
        migrations.AddField(
            model_name='eventchunk',
            name='events',
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='eventchunk',
            name='first_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='eventchunk',
            name='last_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='eventchunk',
            name='terms',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='preferences',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.RunPython(body_last, migrations.RunPython.noop),
    ]
