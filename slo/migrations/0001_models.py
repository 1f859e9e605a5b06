import django.core.validators
import django.db.models.deletion
import slo.domain.rules
import slo.domain.windows
import slo.models.objective
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('slo', '0001_initial'),
        ('slo', '0002_kinds_and_sources'),
        ('slo', '0004_prefixes_and_rounds'),
        ('slo', '0005_corrections_and_policies'),
        ('slo', '0006_free_slugs'),
        ('slo', '0007_pulls_probes_backfills'),
        ('slo', '0008_correction_maintenance'),
    ]

    dependencies = [
        ('catalog', '0001_initial'),
        ('incidents', '0001_models'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Round',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('watermark', models.DateTimeField(help_text='All before it was counted.', unique=True)),
                ('evaluated_at', models.DateTimeField(db_index=True)),
                ('data', models.BinaryField()),
            ],
            options={
                'ordering': ['-watermark'],
            },
        ),
        migrations.CreateModel(
            name='BudgetPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.CharField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\Z', 'Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.')])),
                ('name', models.CharField(max_length=120)),
                ('at_risk_below', models.DecimalField(decimal_places=4, default=Decimal('0.25'), help_text='At risk begins when less than this share of the budget is left.', max_digits=6, validators=[django.core.validators.MinValueValidator(Decimal('0')), django.core.validators.MaxValueValidator(Decimal('1'))])),
                ('healthy_from', models.DecimalField(decimal_places=4, default=Decimal('0.30'), help_text='At risk ends when this share is left again.', max_digits=6, validators=[django.core.validators.MinValueValidator(Decimal('0')), django.core.validators.MaxValueValidator(Decimal('1'))])),
                ('recovered_above', models.DecimalField(decimal_places=4, default=Decimal('0'), help_text='Exhausted ends when more than this share is left again.', max_digits=6, validators=[django.core.validators.MinValueValidator(Decimal('0')), django.core.validators.MaxValueValidator(Decimal('1'))])),
                ('freeze_when', models.CharField(choices=[('never', 'Never'), ('exhausted', 'While the budget is exhausted'), ('at_risk', 'While the budget is at risk or exhausted')], default='exhausted', help_text='When `/api/v1/services/<slug>/freeze` tells CI to hold releases.', max_length=10)),
                ('pages_when_exhausted', models.BooleanField(default=True, help_text='A P1 alert, once, for as long as the budget is exhausted.')),
                ('tickets_when_at_risk', models.BooleanField(default=False, help_text='A P3 alert, once, for as long as the budget is at risk.')),
            ],
            options={
                'verbose_name_plural': 'budget policies',
                'ordering': ['slug'],
                'constraints': [models.CheckConstraint(condition=models.Q(('healthy_from__gte', models.F('at_risk_below')), ('at_risk_below__gte', models.F('recovered_above'))), name='slo_policy_hysteresis', violation_error_message='healthy_from: must not be below at_risk_below, nor that below recovered_above.')],
            },
        ),
        migrations.CreateModel(
            name='Sli',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.CharField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\Z', 'Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.')])),
                ('kind', models.CharField(choices=[('availability', 'Availability: not answered with a server error'), ('success', 'Success: answered without any error'), ('latency', 'Latency: answered within a threshold'), ('freshness', 'Freshness: data younger than a threshold'), ('throughput', 'Throughput: work done of work that came in'), ('ratio', 'Custom ratio: one counter of another'), ('time_slices', 'Time slices: minutes in which a value met a condition'), ('composite', 'Composite: weighted mean of other objectives'), ('probe', 'Probe: answers of a synthetic HTTP check')], max_length=20)),
                ('description', models.TextField(blank=True)),
                ('good_query', models.TextField(blank=True, help_text='Counter of good events; leave empty where bad events are counted.')),
                ('bad_query', models.TextField(blank=True, help_text='Counter of bad events; leave empty where good events are counted.')),
                ('total_query', models.TextField(blank=True, help_text='Counter of all valid events; for latency from a source, its histogram.')),
                ('value_query', models.TextField(blank=True, help_text='Time slices: the value compared; from a source its query, else one of p50_ms, p95_ms, p99_ms, requests, error_ratio.')),
                ('comparison', models.CharField(blank=True, choices=[('lt', '<'), ('lte', '≤'), ('gt', '>'), ('gte', '≥')], help_text='Time slices: good when', max_length=3)),
                ('comparison_value', models.DecimalField(blank=True, decimal_places=6, help_text='… this value.', max_digits=20, null=True)),
                ('slice_target', models.DecimalField(decimal_places=8, default=Decimal('0.99'), help_text='By the time-slice method, a minute is good when this share of its events is.', max_digits=9)),
                ('probe_url', models.CharField(blank=True, help_text='Probe: address that the worker asks.', max_length=500)),
                ('probe_every_s', models.PositiveIntegerField(default=60, help_text='Probe: seconds between two checks.', validators=[django.core.validators.MinValueValidator(10), django.core.validators.MaxValueValidator(3600)])),
                ('probe_timeout_ms', models.PositiveIntegerField(default=5000, help_text='Probe: a check that takes longer has failed.', validators=[django.core.validators.MinValueValidator(100), django.core.validators.MaxValueValidator(30000)])),
                ('probe_statuses', models.CharField(default='200-299', help_text='Probe: good statuses, e.g. 200-299,301.', max_length=100)),
                ('probe_body', models.CharField(blank=True, help_text='Probe: text that the answer must hold.', max_length=200)),
                ('endpoint', models.CharField(blank=True, help_text='Only this endpoint; empty counts all of them.', max_length=200)),
                ('error_from', models.PositiveSmallIntegerField(default=500, help_text='Statuses from here on are bad: 500 for server errors, 400 for any error.', validators=[django.core.validators.MinValueValidator(400), django.core.validators.MaxValueValidator(599)])),
                ('excluded_statuses', models.JSONField(blank=True, default=list, help_text='Statuses that are not valid events, e.g. [401, 429].')),
                ('threshold_ms', models.PositiveIntegerField(blank=True, help_text='Latency: answered within so many milliseconds is good.', null=True)),
                ('only_successful', models.BooleanField(default=False, help_text='Latency: count only requests that were not errors.')),
                ('freshness_source', models.CharField(blank=True, help_text='Freshness: name of the reporting source.', max_length=100)),
                ('threshold_s', models.PositiveIntegerField(blank=True, help_text='Freshness: data younger than so many seconds is good.', null=True)),
                ('silence_grace_s', models.PositiveIntegerField(default=600, help_text='Freshness: silence longer than this is bad.')),
                ('slot', models.PositiveIntegerField(editable=False, help_text='Column of this SLI in the packed slices.', unique=True)),
                ('data_since', models.DateTimeField(editable=False, help_text='Start of the first measured minute.', null=True)),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='slis', to='catalog.service')),
            ],
            options={
                'verbose_name': 'SLI',
                'ordering': ['slug'],
            },
        ),
        migrations.CreateModel(
            name='PullState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('complete_until', models.DateTimeField(help_text='Every minute before it was answered.')),
                ('gap_since', models.DateTimeField(help_text='Start of the first minute of a gap that has not ended.', null=True)),
                ('reason', models.CharField(blank=True, help_text='Why there is a gap.', max_length=500)),
                ('insane_at', models.DateTimeField(help_text='Newest minute of which the source said what cannot be.', null=True)),
                ('insane_reason', models.CharField(blank=True, max_length=500)),
                ('sli', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='pull', to='slo.sli')),
            ],
        ),
        migrations.CreateModel(
            name='ProbeSchedule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('next_at', models.DateTimeField(db_index=True)),
                ('sli', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='probe_schedule', to='slo.sli')),
            ],
        ),
        migrations.CreateModel(
            name='SliceBlock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('resolution', models.PositiveSmallIntegerField(choices=[(1, 'minute'), (60, 'hour'), (1440, 'day')])),
                ('start', models.DateTimeField()),
                ('data', models.BinaryField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('resolution', 'start'), name='slo_block_once')],
            },
        ),
        migrations.CreateModel(
            name='Slo',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.CharField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\Z', 'Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.'), slo.models.objective.validate_free_slug])),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True)),
                ('method', models.CharField(choices=[('occurrences', 'Occurrences: good events of all events'), ('time_slices', 'Time slices: good minutes of all minutes with events'), ('ratio_of_slices', "Ratio of slices: mean of the minutes' shares")], default='occurrences', max_length=20)),
                ('window_kind', models.CharField(choices=[('rolling', 'Rolling'), ('calendar', 'Calendar')], default='rolling', max_length=10)),
                ('window_days', models.PositiveSmallIntegerField(default=30, help_text='Length of a rolling window, days.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(366)])),
                ('calendar_period', models.CharField(choices=[('day', 'Day'), ('week', 'Week'), ('month', 'Month'), ('quarter', 'Quarter'), ('year', 'Year')], default=slo.domain.windows.Period['MONTH'], help_text='Period of a calendar window.', max_length=10)),
                ('timezone', models.CharField(default='UTC', help_text='IANA zone whose midnights border calendar windows.', max_length=64, validators=[slo.models.objective.validate_timezone])),
                ('minimum_events', models.PositiveIntegerField(default=10, help_text='Fewest events in a long window that may raise a burn alert.')),
                ('is_enabled', models.BooleanField(default=True)),
                ('policy', models.ForeignKey(blank=True, help_text='What follows from the state of its budget; empty is the standard policy.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='slos', to='slo.budgetpolicy')),
                ('sli', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='slos', to='slo.sli', verbose_name='SLI')),
            ],
            options={
                'verbose_name': 'SLO',
                'ordering': ['slug'],
            },
        ),
        migrations.CreateModel(
            name='Source',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.CharField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\Z', 'Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.')])),
                ('kind', models.CharField(choices=[('prometheus', 'Prometheus, or what speaks its HTTP API'), ('cloudwatch', 'AWS CloudWatch')], max_length=20)),
                ('url', models.CharField(blank=True, help_text='Prometheus: address before /api/v1, e.g. http://prometheus:9090.', max_length=500)),
                ('region', models.CharField(blank=True, help_text='CloudWatch: AWS region.', max_length=40)),
                ('credentials', models.TextField(blank=True, editable=False, help_text='Encrypted: bearer token or basic sign-in.')),
                ('delay_minutes', models.PositiveSmallIntegerField(default=1, help_text='How many minutes late its data is complete; windows of its SLOs end so early.', validators=[django.core.validators.MaxValueValidator(60)])),
                ('is_enabled', models.BooleanField(default=True)),
                ('complete_until', models.DateTimeField(editable=False, help_text='Everything before it was fetched.', null=True)),
                ('failing_since', models.DateTimeField(editable=False, null=True)),
                ('last_error', models.CharField(blank=True, editable=False, max_length=500)),
                ('busy_until', models.DateTimeField(editable=False, help_text='Nobody else asks it before.', null=True)),
            ],
            options={
                'ordering': ['slug'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('kind', 'prometheus'), _negated=True), models.Q(('url', ''), _negated=True), _connector='OR'), name='slo_source_prometheus_has_url', violation_error_message='url: a Prometheus source needs its address.')],
            },
        ),
        migrations.AddField(
            model_name='sli',
            name='source',
            field=models.ForeignKey(blank=True, help_text="Asked for the counts; empty counts the portal's own telemetry.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name='slis', to='slo.source'),
        ),
        migrations.CreateModel(
            name='StateChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='Watermark of the minute that decided.')),
                ('before', models.CharField(choices=[('healthy', 'healthy'), ('at_risk', 'at_risk'), ('exhausted', 'exhausted'), ('no_data', 'no_data')], max_length=10)),
                ('after', models.CharField(choices=[('healthy', 'healthy'), ('at_risk', 'at_risk'), ('exhausted', 'exhausted'), ('no_data', 'no_data')], max_length=10)),
                ('window', models.CharField(blank=True, help_text='Long window of the burn alert that held; empty: none.', max_length=3)),
                ('figures', models.JSONField(default=dict, help_text='Counts and what was left of the budget.')),
                ('slo', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='state_changes', to='slo.slo')),
            ],
            options={
                'ordering': ['-at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='ThresholdRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.CharField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\Z', 'Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.')])),
                ('name', models.CharField(max_length=120)),
                ('metric', models.CharField(choices=[(slo.domain.rules.Metric['AVAILABILITY'], 'Availability: share of requests without a server error'), (slo.domain.rules.Metric['ERROR_RATE'], 'Error rate: share of requests that failed'), (slo.domain.rules.Metric['P95_MS'], 'Response time: 95th percentile, ms'), (slo.domain.rules.Metric['BREAKERS_OPEN'], 'Circuit breaker open: breakers that reject calls'), (slo.domain.rules.Metric['DATABASE_FAILURES'], 'Database failures: failed database calls'), (slo.domain.rules.Metric['SLOW_QUERIES'], 'Slow queries: database calls slower than a second'), (slo.domain.rules.Metric['CPU'], 'CPU utilization: share of what is provisioned'), (slo.domain.rules.Metric['MEMORY'], 'Memory utilization: share of what is provisioned')], max_length=30)),
                ('comparison', models.CharField(choices=[('below', 'below'), ('above', 'above')], default=slo.domain.rules.Comparison['ABOVE'], max_length=5)),
                ('threshold', models.DecimalField(decimal_places=6, help_text='Shares between 0 and 1, times in milliseconds, else a count.', max_digits=16, validators=[django.core.validators.MinValueValidator(0)])),
                ('window_minutes', models.PositiveSmallIntegerField(default=5, help_text='Minutes that the figure is taken over.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1440)])),
                ('minimum_events', models.PositiveIntegerField(default=0, help_text='Fewest requests that may raise the alert.')),
                ('error_from', models.PositiveSmallIntegerField(default=500, help_text='Availability and error rate: statuses from here on have failed.', validators=[django.core.validators.MinValueValidator(400), django.core.validators.MaxValueValidator(599)])),
                ('severity', models.CharField(choices=[('P0', 'P0 critical'), ('P1', 'P1 high'), ('P2', 'P2 medium'), ('P3', 'P3 low')], default='P1', max_length=2)),
                ('is_enabled', models.BooleanField(default=True)),
                ('service', models.ForeignKey(blank=True, help_text='Only this service; empty watches every one.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='threshold_rules', to='catalog.service')),
            ],
            options={
                'ordering': ['severity', 'slug'],
            },
        ),
        migrations.CreateModel(
            name='Annotation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('kind', models.CharField(choices=[('incident', 'Incident'), ('chaos', 'Chaos run'), ('deploy', 'Deploy'), ('note', 'Note')], default='note', max_length=10)),
                ('title', models.CharField(max_length=200)),
                ('url', models.URLField(blank=True, max_length=500)),
                ('key', models.CharField(blank=True, help_text="The sender's own name for it: sent again, it is changed rather than doubled.", max_length=200)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(blank=True, null=True)),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='annotations', to='catalog.service')),
            ],
            options={
                'ordering': ['-starts_at', '-pk'],
                'indexes': [models.Index(fields=['service', '-starts_at'], name='slo_annotation_newest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('key', ''), _negated=True), fields=('service', 'key'), name='slo_annotation_key_once'), models.CheckConstraint(condition=models.Q(('ends_at', None), ('ends_at__gte', models.F('starts_at')), _connector='OR'), name='slo_annotation_ends_after_start', violation_error_message='ends_at: must not be before starts_at.')],
            },
        ),
        migrations.CreateModel(
            name='FreezeOverride',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('frozen', models.BooleanField(help_text='Held (true), or released in spite of the budget.')),
                ('reason', models.CharField(max_length=300)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, help_text='Taken back before its time.', null=True)),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='freeze_overrides', to='catalog.service')),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at'))), name='slo_freeze_override_expires', violation_error_message='expires_at: must lie in the future.')],
            },
        ),
        migrations.CreateModel(
            name='ProbeResult',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='When it was due.')),
                ('outcome', models.CharField(choices=[('good', 'good'), ('bad', 'bad'), ('not_run', 'not_run')], max_length=8)),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('duration_ms', models.FloatField(null=True)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('sli', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='probe_results', to='slo.sli')),
            ],
            options={
                'indexes': [models.Index(fields=['at'], name='slo_probe_result_age')],
                'constraints': [models.UniqueConstraint(fields=('sli', 'at'), name='slo_probe_once')],
            },
        ),
        migrations.CreateModel(
            name='BackfillJob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('start_at', models.DateTimeField(help_text='Start of the first minute.')),
                ('end_at', models.DateTimeField(help_text='End of the last minute.')),
                ('done_until', models.DateTimeField(help_text='Everything before it is written.')),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('running', 'running'), ('done', 'done'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='waiting', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0, help_text='Failures in a row; a chunk that is written sets it back.')),
                ('next_at', models.DateTimeField(help_text='When it goes on; later while somebody works on it.')),
                ('gaps', models.PositiveIntegerField(default=0, help_text='Minutes the source had no data of.')),
                ('error', models.CharField(blank=True, max_length=500)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('sli', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='backfills', to='slo.sli')),
            ],
            options={
                'ordering': ['-pk'],
                'indexes': [models.Index(condition=models.Q(('state__in', ['waiting', 'running'])), fields=['next_at'], name='slo_backfill_due')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['waiting', 'running'])), fields=('sli',), name='slo_backfill_one_open'), models.CheckConstraint(condition=models.Q(('start_at__lt', models.F('end_at')), ('done_until__gte', models.F('start_at')), ('done_until__lte', models.F('end_at'))), name='slo_backfill_in_order')],
            },
        ),
        migrations.CreateModel(
            name='SliceAdjustment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('minutes', models.JSONField(help_text='Rows of minute of the hour, then the fields of a Delta in their order.')),
                ('slo', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='slo.slo')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('slo', 'hour'), name='slo_adjustment_once')],
            },
        ),
        migrations.CreateModel(
            name='Correction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('mode', models.CharField(choices=[('exclude', 'Exclude: leaves the window altogether'), ('count_as_good', 'Count as good: its events are all good'), ('cap', 'Cap: at most a share of its events is bad')], default='exclude', max_length=20)),
                ('cap', models.DecimalField(blank=True, decimal_places=8, help_text="Cap: greatest share of a minute's events that counts as bad, e.g. 0.01.", max_digits=9, null=True)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(help_text='End of the first occurrence.')),
                ('rule', models.CharField(blank=True, help_text='RRULE of a repetition, e.g. FREQ=WEEKLY;BYDAY=SU; empty for once.', max_length=300)),
                ('timezone', models.CharField(default='UTC', help_text='IANA zone whose wall clock the repetition follows.', max_length=64, validators=[slo.models.objective.validate_timezone])),
                ('reason', models.CharField(max_length=300)),
                ('cancelled_at', models.DateTimeField(blank=True, editable=False, help_text='From here on it corrects nothing.', null=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('maintenance', models.OneToOneField(blank=True, editable=False, help_text='Whose minutes these are.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='correction', to='incidents.maintenance')),
                ('service', models.ForeignKey(blank=True, help_text='All objectives of this service, instead of one.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='slo_corrections', to='catalog.service')),
                ('slo', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='corrections', to='slo.slo')),
            ],
            options={
                'ordering': ['-starts_at', '-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('service__isnull', False), ('slo__isnull', True)), models.Q(('service__isnull', True), ('slo__isnull', False)), _connector='OR'), name='slo_correction_of_one_thing', violation_error_message='slo: name one objective or one service.'), models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='slo_correction_ends_after_start', violation_error_message='ends_at: must be after starts_at.'), models.CheckConstraint(condition=models.Q(models.Q(('mode', 'cap'), _negated=True), models.Q(('cap__gte', 0), ('cap__lt', 1)), _connector='OR'), name='slo_correction_cap', violation_error_message='cap: needs a share from 0 to below 1.')],
            },
        ),
        migrations.CreateModel(
            name='CompositeMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('weight', models.PositiveIntegerField(default=1, validators=[django.core.validators.MinValueValidator(1)])),
                ('sli', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='members', to='slo.sli')),
                ('slo', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='slo.slo')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('sli', 'slo'), name='slo_composite_member_once'), models.CheckConstraint(condition=models.Q(('weight__gt', 0)), name='slo_composite_weight')],
            },
        ),
        migrations.CreateModel(
            name='SloStatus',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('healthy', 'healthy'), ('at_risk', 'at_risk'), ('exhausted', 'exhausted'), ('no_data', 'no_data')], max_length=10)),
                ('state_since', models.DateTimeField()),
                ('slo', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='standing', to='slo.slo')),
            ],
            options={
                'verbose_name_plural': 'SLO statuses',
                'indexes': [models.Index(fields=['state'], name='slo_status_state')],
            },
        ),
        migrations.CreateModel(
            name='SloVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('objective', models.DecimalField(decimal_places=8, max_digits=9)),
                ('effective_from', models.DateTimeField()),
                ('created_at', models.DateTimeField()),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
                ('slo', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='slo.slo')),
            ],
            options={
                'verbose_name': 'SLO version',
                'ordering': ['effective_from', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('slo', 'effective_from'), name='slo_version_moment'), models.CheckConstraint(condition=models.Q(('objective__gt', 0), ('objective__lt', 1)), name='slo_version_objective_0_to_1')],
            },
        ),
        migrations.AddConstraint(
            model_name='sli',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'latency'), _negated=True), ('threshold_ms__gt', 0), _connector='OR'), name='slo_sli_latency_has_threshold', violation_error_message='threshold_ms: a latency SLI needs a threshold.'),
        ),
        migrations.AddConstraint(
            model_name='sli',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'freshness'), _negated=True), models.Q(('threshold_s__gt', 0), models.Q(('freshness_source', ''), _negated=True)), _connector='OR'), name='slo_sli_freshness_has_source', violation_error_message='A freshness SLI needs freshness_source and threshold_s.'),
        ),
        migrations.AddIndex(
            model_name='statechange',
            index=models.Index(fields=['slo', '-at'], name='slo_state_change_by_slo'),
        ),
        migrations.AddConstraint(
            model_name='thresholdrule',
            constraint=models.CheckConstraint(condition=models.Q(('threshold__gte', 0)), name='slo_rule_threshold'),
        ),
    ]
