from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('core', '0001_initial'),
        ('core', '0002_audit_entry'),
        ('core', '0004_kept_answer'),
        ('core', '0005_revision'),
    ]

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Revision',
            fields=[
                ('name', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('token', models.CharField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('seq', models.BigIntegerField(help_text='1, 2, 3 … without holes.', primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('actor', models.CharField(help_text='user:alice, token:…, or portal.', max_length=200)),
                ('act', models.CharField(help_text='What was done, e.g. slo.objective_changed.', max_length=100)),
                ('subject', models.CharField(help_text='To what, e.g. slo.slo:12.', max_length=200)),
                ('changes', models.JSONField(blank=True, default=dict)),
                ('prev_hash', models.CharField(max_length=64)),
                ('hash', models.CharField(max_length=64)),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit entries',
                'ordering': ['-seq'],
                'indexes': [models.Index(fields=['subject', '-seq'], name='core_audit_by_subject'), models.Index(fields=['actor', '-seq'], name='core_audit_by_actor')],
            },
        ),
        migrations.CreateModel(
            name='DemoMode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField()),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='core_demo_mode_is_one_row')],
            },
        ),
        migrations.CreateModel(
            name='JobSlot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job', models.CharField(max_length=60)),
                ('slot', models.DateTimeField(help_text='Start of the minute this run is for.')),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('detail', models.JSONField(blank=True, default=dict)),
            ],
            options={
                'indexes': [models.Index(fields=['job', '-slot'], name='core_job_slot_latest')],
                'constraints': [models.UniqueConstraint(fields=('job', 'slot'), name='core_job_slot_once')],
            },
        ),
        migrations.CreateModel(
            name='KeptAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('caller', models.CharField(help_text='Digest of the credential.', max_length=64)),
                ('key', models.CharField(max_length=200)),
                ('fingerprint', models.CharField(help_text='Digest of address and body.', max_length=64)),
                ('status', models.PositiveSmallIntegerField(default=0)),
                ('content_type', models.CharField(blank=True, max_length=100)),
                ('sealed_body', models.TextField(blank=True, help_text='It may hold a secret that is shown once.')),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['created_at'], name='core_kept_answer_age')],
                'constraints': [models.UniqueConstraint(fields=('caller', 'key'), name='core_kept_answer_once')],
            },
        ),
        migrations.CreateModel(
            name='ProcessHeartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('process', models.CharField(help_text='web, worker, beat, pager …', max_length=20)),
                ('instance', models.CharField(help_text='host:pid:start', max_length=100)),
                ('started_at', models.DateTimeField()),
                ('at', models.DateTimeField()),
                ('monotonic', models.FloatField(help_text="The process's monotonic clock at `at`, seconds.")),
            ],
            options={
                'indexes': [models.Index(fields=['process', '-at'], name='core_heartbeat_latest')],
                'constraints': [models.UniqueConstraint(fields=('process', 'instance'), name='core_heartbeat_instance')],
            },
        ),
    ]
