"""Notifications: channels, the outbox, messages on their way, what is wrong now."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

SEVERITIES = [('info', 'Info'), ('low', 'Low'), ('medium', 'Medium'), ('high', 'High'), ('critical', 'Critical')]
TOPICS = [('escalation', 'Alerts that a person escalates'), ('alarm', 'Alarms about models'), ('source', 'Silent or changed sources'), ('canary', 'The canary'), ('budget', 'Money for language models'), ('llm', 'Language models'), ('operation', 'Winnow itself')]


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0008_audit_chain'),
    ]

    operations = [
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80)),
                ('kind', models.CharField(choices=[('webhook', 'Webhook'), ('chat', 'Chat'), ('email', 'E-mail')], max_length=16)),
                ('address', models.CharField(help_text='Mail addresses, or the scheme and host of a webhook.', max_length=1000)),
                ('sealed', models.TextField(blank=True, help_text='The secrets, encrypted; see triage.secretbox.')),
                ('min_severity', models.CharField(blank=True, choices=SEVERITIES, default='high', max_length=16)),
                ('topics', models.JSONField(default=list, help_text='Values of Topic.')),
                ('tell_details', models.BooleanField(default=True)),
                ('quiet_from', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('quiet_until', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('quiet_zone', models.CharField(default='UTC', max_length=64)),
                ('critical_at_once', models.BooleanField(default=True)),
                ('digest_minutes', models.PositiveSmallIntegerField(default=0, help_text='0 = everything by itself.')),
                ('per_hour', models.PositiveSmallIntegerField(default=30, help_text='Messages an hour; what is more is put together.')),
                ('repeat_minutes', models.PositiveSmallIntegerField(default=60, help_text='The same thing is not said again within so many minutes.')),
                ('paused_at', models.DateTimeField(blank=True, null=True)),
                ('paused_by', models.CharField(blank=True, max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('created_by', models.CharField(max_length=150)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['name', 'id'],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('name',), name='channel_name_once'),
                    models.CheckConstraint(condition=models.Q(models.Q(('quiet_from__isnull', True), ('quiet_until__isnull', True)), models.Q(('quiet_from__isnull', False), ('quiet_until__isnull', False)), _connector='OR'), name='channel_quiet_hours_whole'),
                    models.CheckConstraint(condition=models.Q(('per_hour__gte', 1)), name='channel_per_hour'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Condition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=150)),
                ('topic', models.CharField(choices=TOPICS, max_length=16)),
                ('severity', models.CharField(choices=SEVERITIES, max_length=16)),
                ('title', models.CharField(max_length=300)),
                ('text', models.TextField(blank=True)),
                ('path', models.CharField(blank=True, help_text='The page that shows it.', max_length=200)),
                ('since', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('subject',), name='condition_once')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sending', 'Being sent'), ('sent', 'Sent'), ('dead', 'Given up')], default='waiting', max_length=16)),
                ('is_test', models.BooleanField(default=False)),
                ('count', models.PositiveIntegerField(default=1, help_text='Notifications in it.')),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(help_text='Not tried before.')),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('answered', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('took_ms', models.PositiveIntegerField(blank=True, null=True)),
                ('error', models.CharField(blank=True, max_length=300)),
                ('channel', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='alerts.channel')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [
                    models.Index(fields=['state', 'due_at'], name='delivery_to_send'),
                    models.Index(fields=['channel', '-created_at'], name='delivery_of_channel'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('topic', models.CharField(max_length=16)),
                ('subject', models.CharField(max_length=160)),
                ('key', models.CharField(max_length=160)),
                ('severity', models.CharField(choices=SEVERITIES, max_length=16)),
                ('severity_rank', models.PositiveSmallIntegerField()),
                ('title', models.CharField(max_length=300)),
                ('text', models.TextField(blank=True)),
                ('facts', models.JSONField(default=dict, help_text='The same for programs.')),
                ('created_at', models.DateTimeField()),
                ('repeats', models.PositiveIntegerField(default=0)),
                ('alert', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='alerts.alert')),
                ('channel', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='notifications', to='alerts.channel')),
                ('delivery', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='notifications', to='alerts.delivery')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [
                    models.Index(fields=['channel', 'subject', '-created_at'], name='notification_of_subject'),
                    models.Index(condition=models.Q(('delivery__isnull', True)), fields=['channel'], name='notification_waiting'),
                ],
                'constraints': [models.UniqueConstraint(fields=('channel', 'key'), name='notification_once')],
            },
        ),
    ]
