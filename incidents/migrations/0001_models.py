import datetime
import django.core.validators
import django.db.models.deletion
import incidents.domain.lifecycle
import incidents.domain.response_targets
import oncall.models.schedules
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('incidents', '0001_initial'),
        ('incidents', '0002_integrations'),
        ('incidents', '0004_incidents'),
        ('incidents', '0005_pages'),
        ('incidents', '0007_channels'),
        ('incidents', '0008_maintenance'),
        ('incidents', '0010_intake_indexes'),
        ('incidents', '0013_cron_heartbeats'),
    ]

    dependencies = [
        ('catalog', '0001_initial'),
        ('notifications', '0001_models'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('group', models.CharField(editable=False, help_text='Digest of what belongs together while it is open.', max_length=64)),
                ('severity', models.CharField(choices=[('P0', 'P0 critical'), ('P1', 'P1 high'), ('P2', 'P2 medium'), ('P3', 'P3 low')], max_length=2)),
                ('is_severity_set', models.BooleanField(default=False, editable=False, help_text='A person set it, so alerts no longer raise it.')),
                ('title', models.CharField(max_length=1024)),
                ('summary', models.TextField(blank=True, help_text='What is known, for those who join.')),
                ('status', models.CharField(choices=[('triggered', 'Triggered'), ('acknowledged', 'Acknowledged'), ('mitigated', 'Mitigated'), ('resolved', 'Resolved'), ('closed', 'Closed'), ('merged', 'Merged')], default=incidents.domain.lifecycle.Status['TRIGGERED'], editable=False, max_length=12)),
                ('cycle', models.PositiveIntegerField(default=1, editable=False, help_text='How often people began to be called for it.')),
                ('opened_at', models.DateTimeField(editable=False)),
                ('acknowledged_at', models.DateTimeField(blank=True, editable=False, help_text='First time in this cycle.', null=True)),
                ('acknowledged_by', models.CharField(blank=True, editable=False, max_length=200)),
                ('responded_at', models.DateTimeField(blank=True, editable=False, help_text='First acknowledgement of all.', null=True)),
                ('mitigated_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('resolved_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('resolved_by', models.CharField(blank=True, editable=False, max_length=200)),
                ('closed_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('snoozed_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('held_until', models.DateTimeField(blank=True, editable=False, help_text='All alerts ended; it resolves then.', null=True)),
                ('is_flapping', models.BooleanField(default=False, editable=False)),
                ('response', models.CharField(choices=[('on_track', 'On track'), ('at_risk', 'At risk'), ('breached', 'Breached'), ('met', 'Met')], default=incidents.domain.response_targets.Standing['ON_TRACK'], editable=False, max_length=10)),
                ('resolution', models.CharField(choices=[('on_track', 'On track'), ('at_risk', 'At risk'), ('breached', 'Breached'), ('met', 'Met')], default=incidents.domain.response_targets.Standing['ON_TRACK'], editable=False, max_length=10)),
                ('unreached', models.CharField(blank=True, editable=False, help_text='Why nobody could be called.', max_length=500)),
                ('assigned_to', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='assigned_incidents', to=settings.AUTH_USER_MODEL)),
                ('merged_into', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='merged', to='incidents.incident')),
                ('related', models.ManyToManyField(blank=True, to='incidents.incident')),
                ('service', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='incidents', to='catalog.service')),
            ],
            options={
                'ordering': ['-opened_at', '-pk'],
                'indexes': [
                    models.Index(condition=models.Q(('status__in', [incidents.domain.lifecycle.Status['ACKNOWLEDGED'], incidents.domain.lifecycle.Status['MITIGATED'], incidents.domain.lifecycle.Status['TRIGGERED']])), fields=['severity', '-opened_at'], name='incidents_incident_open'),
                    models.Index(condition=models.Q(('status__in', [incidents.domain.lifecycle.Status['ACKNOWLEDGED'], incidents.domain.lifecycle.Status['MITIGATED'], incidents.domain.lifecycle.Status['TRIGGERED'], 'merged'])), fields=['group'], name='incidents_incident_of_group'),
                    models.Index(fields=['-opened_at', '-id'], name='incidents_incident_newest'),
                    models.Index(fields=['service', '-opened_at'], name='incidents_incident_of_service'),
                ],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('status__in', [incidents.domain.lifecycle.Status['ACKNOWLEDGED'], incidents.domain.lifecycle.Status['MITIGATED'], incidents.domain.lifecycle.Status['TRIGGERED']])), fields=('group',), name='incidents_incident_one_open_of_group'),
                    models.CheckConstraint(condition=models.Q(models.Q(('resolved_at__isnull', False), ('status__in', ['resolved', 'closed'])), models.Q(models.Q(('status__in', ['resolved', 'closed']), _negated=True), ('resolved_at', None)), _connector='OR'), name='incidents_incident_resolved_at_iff_resolved'),
                    models.CheckConstraint(condition=models.Q(models.Q(('merged_into__isnull', False), ('status', 'merged')), models.Q(models.Q(('status', 'merged'), _negated=True), ('merged_into', None)), _connector='OR'), name='incidents_incident_merged_iff_merged'),
                ],
            },
        ),
        migrations.CreateModel(
            name='IncidentChannel',
            fields=[
                ('incident', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='channel', serialize=False, to='incidents.incident')),
                ('name', models.CharField(max_length=80)),
                ('channel_id', models.CharField(blank=True, help_text="The chat's own; empty: none.", max_length=40)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('tried_at', models.DateTimeField()),
                ('problem', models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name='EscalationRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cycle', models.PositiveIntegerField()),
                ('phase', models.CharField(choices=[('unacknowledged', 'Unacknowledged'), ('unresolved', 'Unresolved')], max_length=16)),
                ('policy_name', models.CharField(max_length=120)),
                ('snapshot', models.JSONField(default=dict)),
                ('loop', models.PositiveIntegerField(default=0)),
                ('position', models.PositiveIntegerField(default=0, help_text='Of the step that fires next.')),
                ('state', models.CharField(choices=[('running', 'Running'), ('stopped', 'Stopped: acknowledged or resolved'), ('exhausted', 'Everybody was called'), ('quarantined', 'Set aside: it failed five times')], default='running', max_length=12)),
                ('started_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(help_text='When the next step fires.')),
                ('look_at', models.DateTimeField(help_text='When a pager looks: due, or a lost claim runs out.')),
                ('claims', models.PositiveSmallIntegerField(default=0, help_text='Claims since a step last fired; five set it aside.')),
                ('fired_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('problem', models.TextField(blank=True)),
                ('incident', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='incidents.incident')),
            ],
            options={
                'ordering': ['pk'],
                'indexes': [
                    models.Index(condition=models.Q(('state', 'running')), fields=['look_at'], name='incidents_run_due'),
                ],
                'constraints': [
                    models.UniqueConstraint(fields=('incident', 'cycle', 'phase'), name='incidents_run_once_per_phase'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Deadline',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('response_at_risk', 'Response at risk'), ('response_breached', 'Response breached'), ('resolution_at_risk', 'Resolution at risk'), ('resolution_breached', 'Resolution breached'), ('snooze_ends', 'Snooze ends'), ('auto_resolve', 'Resolves by itself'), ('ack_timeout', 'Still on it?'), ('ack_lapse', 'Acknowledgement lapses')], max_length=20)),
                ('due_at', models.DateTimeField()),
                ('look_at', models.DateTimeField(help_text='When a pager looks: due, or a lost claim runs out.')),
                ('claims', models.PositiveSmallIntegerField(default=0)),
                ('is_open', models.BooleanField(default=True)),
                ('incident', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deadlines', to='incidents.incident')),
            ],
            options={
                'indexes': [
                    models.Index(condition=models.Q(('is_open', True)), fields=['look_at'], name='incidents_deadline_due'),
                ],
                'constraints': [
                    models.UniqueConstraint(fields=('incident', 'kind'), name='incidents_deadline_once_per_kind'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Acknowledgement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cycle', models.PositiveIntegerField()),
                ('actor', models.CharField(max_length=200)),
                ('at', models.DateTimeField()),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('incident', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='acknowledgements', to='incidents.incident')),
            ],
            options={
                'ordering': ['at', 'pk'],
                'constraints': [
                    models.UniqueConstraint(fields=('incident', 'cycle', 'actor'), name='incidents_acknowledged_once'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Integration',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('kind', models.CharField(choices=[('alertmanager', 'Prometheus Alertmanager'), ('pagerduty', 'PagerDuty Events API'), ('opsgenie', 'Opsgenie API'), ('amazon_sns', 'Amazon SNS, CloudWatch'), ('grafana', 'Grafana'), ('sentry', 'Sentry'), ('datadog', 'Datadog'), ('uptimekuma', 'Uptime Kuma'), ('healthchecks', 'Healthchecks'), ('generic', 'Any JSON webhook')], max_length=20)),
                ('name', models.CharField(max_length=120)),
                ('key_digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('key_hint', models.CharField(editable=False, help_text='How its key ends.', max_length=4)),
                ('is_enabled', models.BooleanField(default=True, help_text='A disabled one answers as if its key were unknown.', verbose_name='enabled')),
                ('severity_map', models.JSONField(blank=True, default=dict, help_text='The sender\'s words and what they mean here, e.g. {"critical": "P0", "info": "none"}.')),
                ('mapping', models.JSONField(blank=True, default=dict, help_text='JMESPath by field, for any JSON webhook.')),
                ('auto_resolve', models.BooleanField(default=True, help_text='An incident resolves by itself when all of its alerts have ended.')),
                ('hold_off', models.DurationField(default=datetime.timedelta(0), help_text='How long alerts must have ended before it does: against flapping.', validators=[django.core.validators.MinValueValidator(datetime.timedelta(0)), django.core.validators.MaxValueValidator(datetime.timedelta(days=1))])),
                ('topic_arn', models.CharField(blank=True, help_text='SNS: the only topic that may send.', max_length=300, verbose_name='allowed topic')),
                ('signing_secret', models.TextField(blank=True, editable=False)),
                ('runbook_url', models.CharField(blank=True, help_text='Where the sender names none.', max_length=500, validators=[django.core.validators.URLValidator(['http', 'https'], message='Use an address with http or https.')], verbose_name='runbook')),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='integrations', to='catalog.service')),
            ],
            options={
                'ordering': ['service__slug', 'kind', 'name'],
            },
        ),
        migrations.AddField(
            model_name='incident',
            name='integration',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to='incidents.integration'),
        ),
        migrations.CreateModel(
            name='InboundEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('received_at', models.DateTimeField()),
                ('address', models.CharField(help_text='Path without the key.', max_length=600)),
                ('content_type', models.CharField(blank=True, max_length=200)),
                ('headers', models.JSONField(blank=True, default=dict)),
                ('body', models.BinaryField()),
                ('sha256', models.CharField(max_length=64)),
                ('ext_id', models.CharField(blank=True, help_text="The sender's key of the first alert in it.", max_length=512)),
                ('state', models.CharField(choices=[('parsed', 'Understood'), ('partly', 'Partly understood'), ('unparsed', 'Not understood'), ('settled', 'Looked at')], max_length=10)),
                ('problem', models.TextField(blank=True, help_text='What could not be read.')),
                ('alerts', models.PositiveIntegerField(default=0, help_text='Alerts that it opened or changed.')),
                ('integration', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='incidents.integration')),
            ],
            options={
                'ordering': ['-received_at', '-pk'],
                'indexes': [
                    models.Index(fields=['integration', '-id'], name='incidents_event_newest'),
                    models.Index(condition=models.Q(('state__in', ['unparsed', 'partly'])), fields=['-id'], name='incidents_event_inbox'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=100)),
                ('period', models.DurationField(default=datetime.timedelta(days=1), validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=30), 'At least 30 seconds.')])),
                ('grace', models.DurationField(default=datetime.timedelta(seconds=3600), validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=30), 'At least 30 seconds.')])),
                ('schedule', models.CharField(blank=True, help_text='Cron expression, when it is expected; instead of the period, e.g. 0 3 * * 1-5.', max_length=100)),
                ('timezone', models.CharField(default='UTC', help_text='Of the schedule.', max_length=64, validators=[oncall.models.schedules.known_zone])),
                ('severity', models.CharField(choices=[('P0', 'P0 critical'), ('P1', 'P1 high'), ('P2', 'P2 medium'), ('P3', 'P3 low')], default='P2', max_length=2)),
                ('state', models.CharField(choices=[('new', 'Waiting for its first sign'), ('up', 'Alive'), ('down', 'Overdue or failed')], default='new', editable=False, max_length=8)),
                ('is_paused', models.BooleanField(default=False, help_text='A paused one alerts nobody.')),
                ('last_sign_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('last_sign', models.CharField(blank=True, editable=False, max_length=8)),
                ('due_at', models.DateTimeField(blank=True, editable=False, help_text='Silent beyond this, it alerts.', null=True)),
                ('integration', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='heartbeats', to='incidents.integration')),
            ],
            options={
                'ordering': ['integration', 'name'],
                'indexes': [
                    models.Index(condition=models.Q(('is_paused', False), ('state', 'up')), fields=['due_at'], name='incidents_heartbeat_due'),
                ],
                'constraints': [
                    models.UniqueConstraint(fields=('integration', 'name'), name='incidents_heartbeat_name_once'),
                ],
            },
        ),
        migrations.CreateModel(
            name='ChangeEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('summary', models.CharField(max_length=1024)),
                ('source', models.CharField(blank=True, max_length=200)),
                ('url', models.CharField(blank=True, max_length=2000)),
                ('facts', models.JSONField(blank=True, default=dict)),
                ('service', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='catalog.service')),
                ('integration', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='incidents.integration')),
            ],
            options={
                'ordering': ['-at', '-pk'],
                'indexes': [
                    models.Index(fields=['service', '-at'], name='incidents_change_newest'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Maintenance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(help_text='End of the first occurrence.')),
                ('rule', models.CharField(blank=True, help_text='RRULE of a repetition, e.g. FREQ=WEEKLY;BYDAY=SU; empty for once.', max_length=300)),
                ('timezone', models.CharField(default='UTC', help_text='IANA zone whose wall clock the repetition follows.', max_length=64, validators=[oncall.models.schedules.known_zone])),
                ('comment', models.CharField(help_text='What is done, for whoever wonders.', max_length=500)),
                ('excludes_budget', models.BooleanField(default=False, help_text='Its minutes count in no error budget.', verbose_name='leaves budgets alone')),
                ('created_by', models.CharField(editable=False, max_length=200)),
                ('cancelled_at', models.DateTimeField(blank=True, editable=False, help_text='From here on nothing is silenced by it.', null=True)),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='maintenance', to='catalog.service')),
            ],
            options={
                'verbose_name_plural': 'maintenance',
                'ordering': ['-starts_at', '-pk'],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='incidents_maintenance_ends_after_start', violation_error_message='Maintenance ends after it starts.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Page',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64, unique=True)),
                ('cycle', models.PositiveIntegerField()),
                ('loop', models.PositiveIntegerField(default=0)),
                ('step', models.PositiveIntegerField(help_text='1 is the first step of the ladder.')),
                ('level', models.PositiveSmallIntegerField(default=0)),
                ('target', models.CharField(help_text='Whom, e.g. user:alice.', max_length=200)),
                ('channel', models.CharField(help_text='By what, e.g. email.', max_length=20)),
                ('reason', models.CharField(max_length=40)),
                ('urgency', models.CharField(choices=[('high', 'High'), ('low', 'Low')], max_length=4)),
                ('severity', models.CharField(choices=[('P0', 'P0 critical'), ('P1', 'P1 high'), ('P2', 'P2 medium'), ('P3', 'P3 low')], help_text="The incident's when it was made.", max_length=2)),
                ('at_least_once', models.BooleanField(help_text='P0 and P1: sent again when a crash cut the send. Others: at most once.')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sending', 'Being sent'), ('sent', 'Sent'), ('failed', 'Failed'), ('cancelled', 'Cancelled'), ('uncertain', 'Uncertain: a crash cut the send, and it is sent at most once')], default='waiting', max_length=10)),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField()),
                ('look_at', models.DateTimeField(help_text='When a pager looks: due, retried, or a lease ends.')),
                ('owner', models.CharField(blank=True, max_length=100)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('is_repeat', models.BooleanField(default=False, help_text='An earlier send may have arrived.')),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('provider_id', models.CharField(blank=True, max_length=200)),
                ('problem', models.CharField(blank=True, max_length=500)),
                ('incident', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='pages', to='incidents.incident')),
                ('method', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='pages', to='notifications.contactmethod')),
                ('person', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='pages', to=settings.AUTH_USER_MODEL)),
                ('run', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='pages', to='incidents.escalationrun')),
            ],
            options={
                'ordering': ['created_at', 'pk'],
                'indexes': [
                    models.Index(condition=models.Q(('state__in', ['waiting', 'sending'])), fields=['severity', 'look_at'], name='incidents_page_due'),
                    models.Index(fields=['incident', 'created_at'], name='incidents_page_of_incident'),
                    models.Index(fields=['person', '-created_at'], name='incidents_page_of_person'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('owner', models.CharField(max_length=100)),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('outcome', models.CharField(blank=True, choices=[('sent', 'Sent'), ('failed', 'Failed'), ('uncertain', 'Uncertain: whoever sent it died')], max_length=10)),
                ('provider_id', models.CharField(blank=True, max_length=200)),
                ('problem', models.CharField(blank=True, max_length=500)),
                ('page', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tries', to='incidents.page')),
            ],
            options={
                'ordering': ['page', 'number'],
                'constraints': [
                    models.UniqueConstraint(fields=('page', 'number'), name='incidents_attempt_once'),
                    models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('outcome', '')), models.Q(('ended_at__isnull', False), models.Q(('outcome', ''), _negated=True)), _connector='OR'), name='incidents_attempt_outcome_iff_ended'),
                ],
            },
        ),
        migrations.CreateModel(
            name='ResponseTarget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('severity', models.CharField(choices=[('P0', 'P0 critical'), ('P1', 'P1 high'), ('P2', 'P2 medium'), ('P3', 'P3 low')], max_length=2, unique=True)),
                ('respond_within', models.DurationField(help_text='From opening to the first acknowledgement.')),
                ('resolve_within', models.DurationField(help_text='From opening to the resolution.')),
                ('update_every', models.DurationField(help_text='How often those who wait hear something.')),
            ],
            options={
                'ordering': ['severity'],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('resolve_within__gte', models.F('respond_within'))), name='incidents_response_target_in_order', violation_error_message='An incident is not resolved before it is answered.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Silence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('matchers', models.JSONField(blank=True, default=list, help_text='All must match, e.g. [{"name": "alertname", "op": "=", "value": "DiskFull"}].')),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('comment', models.CharField(help_text='Why, for whoever wonders at 3 a.m.', max_length=500)),
                ('created_by', models.CharField(editable=False, max_length=200)),
                ('is_maintenance', models.BooleanField(default=False, help_text='Planned work: shown as such.', verbose_name='maintenance')),
                ('is_ended', models.BooleanField(default=False, editable=False, help_text='What still fired at its end was looked at.')),
                ('maintenance', models.ForeignKey(blank=True, editable=False, help_text='Whose occurrence it is.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='silences', to='incidents.maintenance')),
                ('service', models.ForeignKey(blank=True, help_text='Empty: of every service; it then needs a matcher.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='silences', to='catalog.service')),
            ],
            options={
                'ordering': ['-starts_at', '-pk'],
                'indexes': [
                    models.Index(condition=models.Q(('is_ended', False)), fields=['ends_at'], name='incidents_silence_running'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='incidents_silence_ends_after_start', violation_error_message='A silence ends after it starts.'),
                    models.UniqueConstraint(fields=('maintenance', 'starts_at'), name='incidents_silence_once_per_occurrence'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(help_text='Who says so: slo, rule, breaker …', max_length=40)),
                ('dedup_key', models.CharField(help_text='Same key while firing = same alert.', max_length=512)),
                ('severity', models.CharField(choices=[('P0', 'P0 critical'), ('P1', 'P1 high'), ('P2', 'P2 medium'), ('P3', 'P3 low')], max_length=2)),
                ('title', models.CharField(max_length=1024)),
                ('detail', models.TextField(blank=True)),
                ('url', models.CharField(blank=True, help_text='The page that explains it.', max_length=2000)),
                ('runbook_url', models.CharField(blank=True, help_text='What to do about it.', max_length=2000)),
                ('labels', models.JSONField(blank=True, default=dict, help_text='Names and values it is matched by.')),
                ('group_key', models.CharField(blank=True, help_text='What belongs together.', max_length=512)),
                ('pages', models.BooleanField(default=True, help_text='No: it informs, nobody is called.')),
                ('facts', models.JSONField(blank=True, default=dict, help_text='The figures that decided it.')),
                ('state', models.CharField(choices=[('firing', 'Firing'), ('resolved', 'Resolved')], default='firing', max_length=8)),
                ('count', models.PositiveIntegerField(default=1, help_text='How often it was reported.')),
                ('opened_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('acknowledged_at', models.DateTimeField(blank=True, null=True)),
                ('acknowledged_by', models.CharField(blank=True, max_length=100)),
                ('sender_at', models.DateTimeField(blank=True, help_text="The sender's clock at the newest event that was applied.", null=True)),
                ('service', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='alerts', to='catalog.service')),
                ('incident', models.ForeignKey(blank=True, help_text='What it belongs to; none while it informs only, or is silenced.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='alerts', to='incidents.incident')),
                ('integration', models.ForeignKey(blank=True, help_text="Through which it came; none for the portal's own.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='incidents.integration')),
                ('silenced_by', models.ForeignKey(blank=True, help_text='Why nobody is called for it.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='alerts', to='incidents.silence')),
            ],
            options={
                'ordering': ['-opened_at', '-pk'],
                'indexes': [
                    models.Index(condition=models.Q(('state', 'firing')), fields=['severity', '-opened_at'], name='incidents_alert_firing'),
                    models.Index(condition=models.Q(('sender_at__isnull', False), ('state', 'resolved')), fields=['integration', 'dedup_key'], name='incidents_alert_ended'),
                    models.Index(fields=['-opened_at', '-id'], name='incidents_alert_newest'),
                ],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('integration', None), ('state', 'firing')), fields=('source', 'dedup_key'), name='incidents_alert_one_firing'),
                    models.UniqueConstraint(condition=models.Q(('integration__isnull', False), ('state', 'firing')), fields=('integration', 'dedup_key'), name='incidents_alert_one_firing_of_integration'),
                    models.CheckConstraint(condition=models.Q(models.Q(('resolved_at', None), ('state', 'firing')), models.Q(('resolved_at__isnull', False), ('state', 'resolved')), _connector='OR'), name='incidents_alert_resolved_at_iff_resolved'),
                ],
            },
        ),
        migrations.CreateModel(
            name='TimelineEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('kind', models.CharField(choices=[('opened', 'Opened'), ('alert', 'Alert'), ('action', 'Action'), ('escalation', 'Escalation'), ('page', 'Page'), ('timer', 'Timer'), ('note', 'Note')], max_length=12)),
                ('act', models.CharField(help_text='What was done, e.g. acknowledge.', max_length=40)),
                ('actor', models.CharField(max_length=200)),
                ('text', models.TextField(blank=True)),
                ('facts', models.JSONField(blank=True, default=dict)),
                ('incident', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='timeline', to='incidents.incident')),
            ],
            options={
                'verbose_name_plural': 'timeline entries',
                'ordering': ['at', 'pk'],
                'indexes': [
                    models.Index(fields=['incident', 'at', 'id'], name='incidents_timeline'),
                ],
            },
        ),
        migrations.CreateModel(
            name='AlertLogEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('kind', models.CharField(choices=[('opened', 'Opened'), ('repeated', 'Reported again'), ('acknowledged', 'Acknowledged'), ('unacknowledged', 'Acknowledgement withdrawn'), ('resolved', 'Resolved'), ('note', 'Note')], max_length=16)),
                ('actor', models.CharField(blank=True, max_length=100)),
                ('text', models.TextField(blank=True)),
                ('facts', models.JSONField(blank=True, default=dict)),
                ('alert', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='log', to='incidents.alert')),
                ('event', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='log', to='incidents.inboundevent')),
            ],
            options={
                'ordering': ['at', 'pk'],
                'indexes': [
                    models.Index(fields=['alert', 'at'], name='incidents_alert_log'),
                ],
            },
        ),
    ]
