import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('telemetry', '0001_initial'),
        ('telemetry', '0002_circuit_breaker_state'),
        ('telemetry', '0003_breaker_minutes'),
        ('telemetry', '0004_otlp_metrics'),
        ('telemetry', '0005_imported_logs'),
    ]

    dependencies = [
        ('catalog', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReceiverMinute',
            fields=[
                ('minute', models.DateTimeField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name='ServiceTelemetry',
            fields=[
                ('service', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='telemetry', serialize=False, to='catalog.service')),
                ('own_bounds_ms', models.JSONField(blank=True, default=list, help_text='Latency bounds (ms) this service adds to the default ones, e.g. [120, 350].')),
                ('first_event_at', models.DateTimeField(blank=True, null=True)),
                ('last_event_at', models.DateTimeField(blank=True, null=True)),
                ('first_cover_at', models.DateTimeField(blank=True, help_text='From here on its reporters say which minutes were seen.', null=True)),
            ],
            options={
                'verbose_name_plural': 'service telemetry',
            },
        ),
        migrations.CreateModel(
            name='BatchReceipt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token_id', models.BigIntegerField(default=0, help_text='API token; 0 for the portal itself.')),
                ('key', models.CharField(max_length=200)),
                ('digest', models.BinaryField(help_text='SHA-256 of the decoded body.')),
                ('answer', models.JSONField()),
                ('received_at', models.DateTimeField(db_index=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('token_id', 'key'), name='telemetry_receipt_once')],
            },
        ),
        migrations.CreateModel(
            name='BreakerMinute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('service', models.CharField(help_text='Slug of the service that owns it.', max_length=63)),
                ('name', models.CharField(max_length=200)),
                ('minute', models.DateTimeField(db_index=True)),
                ('failed', models.BigIntegerField()),
                ('slow', models.BigIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('service', 'name', 'minute'), name='telemetry_breaker_minute_once')],
            },
        ),
        migrations.CreateModel(
            name='CircuitBreakerState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('service', models.CharField(help_text='Slug of the service that owns it.', max_length=63)),
                ('name', models.CharField(max_length=200)),
                ('instance', models.CharField(help_text='host:pid:start of the process.', max_length=100)),
                ('state', models.CharField(max_length=20)),
                ('failure_rate', models.FloatField(help_text='Share of failed calls; null: no calls.', null=True)),
                ('calls', models.PositiveIntegerField()),
                ('failed_total', models.BigIntegerField(default=0, help_text='Failures since it was made.')),
                ('slow_total', models.BigIntegerField(default=0, help_text='Slow calls since it was made.')),
                ('since', models.DateTimeField(help_text='When it entered its state.', null=True)),
                ('reported_at', models.DateTimeField(db_index=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('service', 'name', 'instance'), name='telemetry_breaker_once')],
            },
        ),
        migrations.CreateModel(
            name='TelemetryDelta',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('received_at', models.DateTimeField()),
                ('token_id', models.BigIntegerField(help_text='API token that sent it, if any.', null=True)),
                ('size', models.PositiveIntegerField(help_text='Bytes that merging holds in memory for it.')),
                ('payload', models.BinaryField(help_text='telemetry.domain.deltas.Delta or telemetry.domain.otlp.points.Block, packed.')),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('quarantined_at', models.DateTimeField(null=True)),
                ('error', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('quarantined_at__isnull', False)), fields=['quarantined_at'], name='telemetry_delta_quarantined')],
            },
        ),
        migrations.CreateModel(
            name='CoveredMinute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField()),
                ('service', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.service')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('service', 'minute'), name='telemetry_covered_once')],
            },
        ),
        migrations.CreateModel(
            name='DirtyMinute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField()),
                ('version', models.BigIntegerField()),
                ('service', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.service')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('service', 'minute'), name='telemetry_dirty_once')],
            },
        ),
        migrations.CreateModel(
            name='ImportedLog',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Path or address it was imported from.', max_length=500)),
                ('size', models.BigIntegerField(help_text='Bytes from its beginning, unpacked.')),
                ('digest', models.CharField(help_text='SHA-256 of these bytes.', max_length=64)),
                ('lines', models.BigIntegerField(help_text='Lines in them.')),
                ('first_minute', models.DateTimeField(null=True)),
                ('last_minute', models.DateTimeField(null=True)),
                ('imported_at', models.DateTimeField(db_index=True)),
                ('service', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.service')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('service', 'digest'), name='telemetry_imported_log_once')],
            },
        ),
        migrations.CreateModel(
            name='MetricMinute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField()),
                ('data', models.BinaryField(help_text='telemetry.domain.otlp.minutes.MinuteValues, packed.')),
                ('service', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.service')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('service', 'minute'), name='telemetry_metric_minute_once')],
            },
        ),
        migrations.CreateModel(
            name='MetricSeries',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('counter', 'Counter'), ('gauge', 'Gauge')], max_length=10)),
                ('name', models.CharField(max_length=220)),
                ('digest', models.CharField(help_text='Of the attributes.', max_length=32)),
                ('attributes', models.JSONField(default=dict)),
                ('first_seen_at', models.DateTimeField()),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.service')),
            ],
            options={
                'verbose_name_plural': 'metric series',
                'ordering': ['name', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('service', 'kind', 'name', 'digest'), name='telemetry_metric_series_once')],
            },
        ),
        migrations.CreateModel(
            name='MetricWriter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(help_text='Of the service and resource attributes.', max_length=32)),
                ('generation', models.CharField(help_text='Random: tells rows of one key apart.', max_length=32)),
                ('resource', models.JSONField(default=dict, help_text='Attributes of the resource.')),
                ('streams', models.BinaryField(default=bytes)),
                ('stream_count', models.PositiveIntegerField(default=0)),
                ('state', models.BinaryField(default=bytes)),
                ('bounds', models.JSONField(default=list, help_text='Bounds (ms) of its request durations; null for exponential ones.')),
                ('last_seen_at', models.DateTimeField(db_index=True)),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.service')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('service', 'digest'), name='telemetry_writer_once')],
            },
        ),
        migrations.CreateModel(
            name='MinuteCount',
            fields=[
                ('pk', models.CompositePrimaryKey('service', 'minute', 'endpoint', 'method', 'status', 'own_bounds_ms', blank=True, editable=False, primary_key=True, serialize=False)),
                ('minute', models.DateTimeField()),
                ('endpoint', models.CharField(max_length=200)),
                ('method', models.CharField(blank=True, max_length=10)),
                ('status', models.PositiveSmallIntegerField()),
                ('own_bounds_ms', models.CharField(blank=True, help_text='Bounds the service added at that time, e.g. 120,350.', max_length=100)),
                ('count', models.BigIntegerField()),
                ('sum_ms', models.FloatField()),
                ('buckets', models.BinaryField(help_text='Counts per bound as msgpack, the last above all.')),
                ('service', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.service')),
            ],
        ),
        migrations.CreateModel(
            name='MinuteFreshness',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField()),
                ('source', models.CharField(max_length=200)),
                ('count', models.BigIntegerField()),
                ('buckets', models.BinaryField(help_text='Counts per age bound as msgpack, the last above all.')),
                ('service', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.service')),
            ],
            options={
                'verbose_name_plural': 'minute freshness',
                'constraints': [models.UniqueConstraint(fields=('service', 'minute', 'source'), name='telemetry_minute_freshness_once')],
            },
        ),
        migrations.CreateModel(
            name='Series',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('endpoint', 'Endpoint'), ('source', 'Freshness source')], max_length=10)),
                ('name', models.CharField(max_length=200)),
                ('first_seen_at', models.DateTimeField()),
                ('service', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='series', to='catalog.service')),
            ],
            options={
                'verbose_name_plural': 'series',
                'ordering': ['kind', 'name'],
                'constraints': [models.UniqueConstraint(fields=('service', 'kind', 'name'), name='telemetry_series_once')],
            },
        ),
    ]
