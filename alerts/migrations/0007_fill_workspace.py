"""What the queue groups and counts by, for the alerts that are there."""

from django.db import migrations

CHUNK = 500


def fill(apps, schema_editor):
    """Give the alerts that are there their template, model version, techniques and the time of their verdict."""
    alerts = apps.get_model("alerts", "Alert")
    rows = apps.get_model("alerts", "AlertTechnique")
    links = apps.get_model("alerts", "AlertEvent")
    changed, techniques = [], []
    for alert in alerts.objects.order_by("id").iterator(chunk_size=CHUNK):
        strongest = links.objects.filter(alert=alert, model_version__isnull=False).order_by("-score", "id").first()
        alert.template = str((alert.kind or {}).get("template") or "")[:64]
        alert.model_version_id = strongest.model_version_id if strongest else None
        verdicts = list(alert.verdicts.filter(decided_by="person").order_by("id").values_list("created_at", flat=True))
        alert.first_action_at = verdicts[0] if verdicts else None
        alert.decided_at = verdicts[-1] if verdicts and alert.status == "closed" else None
        changed.append(alert)
        techniques += [rows(alert=alert, technique_id=str(one)[:16]) for one in dict.fromkeys(alert.techniques or [])]
        if len(changed) == CHUNK:
            _save(alerts, changed)
    _save(alerts, changed)
    rows.objects.bulk_create(techniques, batch_size=CHUNK)


def _save(alerts, changed):
    names = ["template", "model_version", "first_action_at", "decided_at"]
    alerts.objects.bulk_update(changed, names, batch_size=100)
    changed.clear()


class Migration(migrations.Migration):
    dependencies = [("alerts", "0006_workspace")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
