"""The workspace: actions and undo, saved views, presence, mute rules; what the queue groups and counts by."""

import django.db.models.deletion
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0005_explanations'),
        ('triage', '0008_workspace'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ReviewAction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('verdict', 'Verdict'), ('assign', 'Taken or given'), ('escalate', 'Escalated'), ('reopen', 'Reopened'), ('mute', 'Muted')], max_length=16)),
                ('value', models.CharField(blank=True, max_length=150)),
                ('alert_count', models.PositiveIntegerField(default=0)),
                ('skipped_count', models.PositiveIntegerField(default=0)),
                ('query', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('undone_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='ReviewedAlert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('before', models.JSONField(default=dict)),
                ('revision', models.PositiveIntegerField(help_text="The alert's revision after the action.")),
            ],
        ),
        migrations.CreateModel(
            name='SavedView',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('page', models.CharField(choices=[('queue', 'Queue'), ('events', 'Events')], max_length=16)),
                ('name', models.CharField(max_length=80)),
                ('query', models.TextField(blank=True, help_text='The query string, in its canonical form.', max_length=4000)),
                ('shared', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['name', 'id'],
            },
        ),
        migrations.AddField(
            model_name='alert',
            name='decided_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='alert',
            name='escalated_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='alert',
            name='escalated_by',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='alert',
            name='first_action_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='alert',
            name='model_version',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='triage.modelversion'),
        ),
        migrations.AddField(
            model_name='alert',
            name='process_name',
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name='alert',
            name='template',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='verdict',
            name='withdrawn_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RemoveIndex(model_name="alert", name="alert_queue_place"),
        migrations.RemoveField(model_name="alert", name="place"),
        migrations.AddField(
            model_name="alert",
            name="place",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(
                    models.When(escalated_at__isnull=False, then=models.Value(2.0)),
                    default=django.db.models.functions.comparison.Coalesce("worth", models.Value(1.0)),
                ),
                output_field=models.FloatField(),
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                fields=["status", "-place", "-severity_rank", "-last_seen_at"], name="alert_queue_place"
            ),
        ),
        migrations.AlterField(
            model_name='alert',
            name='status',
            field=models.CharField(choices=[('open', 'Open'), ('muted', 'Muted'), ('closed', 'Closed')], default='open', max_length=16),
        ),
        migrations.CreateModel(
            name='AlertPresence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seen_at', models.DateTimeField()),
                ('alert', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='presences', to='alerts.alert')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='AlertTechnique',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('technique_id', models.CharField(max_length=16)),
                ('alert', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='technique_rows', to='alerts.alert')),
            ],
        ),
        migrations.CreateModel(
            name='MuteRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.TextField(max_length=2000)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, help_text='Ended by a person before it expired.', null=True)),
                ('template', models.CharField(blank=True, max_length=64)),
                ('template_title', models.CharField(blank=True, max_length=300)),
                ('entity', models.CharField(blank=True, max_length=200)),
                ('max_severity', models.CharField(choices=[('info', 'Info'), ('low', 'Low'), ('medium', 'Medium'), ('high', 'High'), ('critical', 'Critical')], default='low', max_length=16)),
                ('audit_share', models.FloatField(default=0.05)),
                ('hidden_count', models.PositiveIntegerField(default=0, help_text='Alerts hidden so far.')),
                ('shown_count', models.PositiveIntegerField(default=0, help_text='Alerts shown for audit so far.')),
                ('last_hit_at', models.DateTimeField(blank=True, null=True)),
                ('ended_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('example', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='alerts.alert')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='mute_rules', to=settings.AUTH_USER_MODEL)),
                ('source', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='triage.source')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.AddField(
            model_name='alert',
            name='mute_rule',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='alerts.muterule'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['status', 'template'], name='alert_by_template'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['template', '-last_seen_at'], name='alert_alike'),
        ),
        migrations.AddField(
            model_name='reviewaction',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='review_actions', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='reviewedalert',
            name='action',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='alerts.reviewaction'),
        ),
        migrations.AddField(
            model_name='reviewedalert',
            name='alert',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='alerts.alert'),
        ),
        migrations.AddField(
            model_name='reviewedalert',
            name='verdict',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='alerts.verdict'),
        ),
        migrations.AddField(
            model_name='savedview',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='saved_views', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='alertpresence',
            constraint=models.UniqueConstraint(fields=('alert', 'user'), name='alertpresence_once'),
        ),
        migrations.AddIndex(
            model_name='alerttechnique',
            index=models.Index(fields=['technique_id', 'alert'], name='alerttechnique_by_id'),
        ),
        migrations.AddConstraint(
            model_name='alerttechnique',
            constraint=models.UniqueConstraint(fields=('alert', 'technique_id'), name='alerttechnique_once'),
        ),
        migrations.AddConstraint(
            model_name='muterule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('template', ''), _negated=True), models.Q(('entity', ''), _negated=True), _connector='OR'), name='muterule_names_something'),
        ),
        migrations.AddConstraint(
            model_name='muterule',
            constraint=models.CheckConstraint(condition=models.Q(('audit_share__gte', 0.01), ('audit_share__lte', 1.0)), name='muterule_audit_share'),
        ),
        migrations.AddIndex(
            model_name='reviewaction',
            index=models.Index(fields=['user', '-id'], name='reviewaction_of_user'),
        ),
        migrations.AddConstraint(
            model_name='reviewedalert',
            constraint=models.UniqueConstraint(fields=('action', 'alert'), name='reviewedalert_once'),
        ),
        migrations.AddConstraint(
            model_name='savedview',
            constraint=models.UniqueConstraint(fields=('owner', 'page', 'name'), name='savedview_once'),
        ),
    ]
