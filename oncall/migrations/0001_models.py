import datetime
import django.core.validators
import django.db.models.deletion
import oncall.domain.escalations
import oncall.domain.rotations
import oncall.models.policies
import oncall.models.schedules
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('oncall', '0001_initial'),
        ('oncall', '0002_calendars_and_roles'),
        ('oncall', '0003_override_feed'),
        ('oncall', '0004_holidays'),
        ('oncall', '0005_handoffs'),
        ('oncall', '0006_acknowledgements'),
    ]

    dependencies = [
        ('catalog', '0001_initial'),
        ('notifications', '0001_models'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='HolidayCalendar',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.CharField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\Z', 'Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.')])),
                ('name', models.CharField(max_length=120)),
                ('country', models.CharField(blank=True, help_text='ISO code whose public holidays count, e.g. DE.', max_length=2)),
                ('subdivision', models.CharField(blank=True, help_text='With laws of its own, e.g. BY.', max_length=20, verbose_name='part of the country')),
            ],
            options={
                'ordering': ['slug'],
            },
        ),
        migrations.CreateModel(
            name='Layer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('position', models.PositiveSmallIntegerField(default=0, help_text='Higher stands above lower.')),
                ('name', models.CharField(max_length=120)),
                ('first_on', models.DateField(help_text='Before it nobody is on call.', verbose_name='first handover on')),
                ('handover_at', models.TimeField(default=datetime.time(9, 0), verbose_name='handover at')),
                ('unit', models.CharField(choices=[('hours', 'Hours'), ('days', 'Days'), ('weeks', 'Weeks')], default=oncall.domain.rotations.Unit['WEEKS'], max_length=8)),
                ('every', models.PositiveSmallIntegerField(default=1, help_text='How many of the unit a turn is.')),
                ('until', models.DateTimeField(blank=True, help_text='After it nobody is on call.', null=True)),
                ('on_holidays', models.CharField(choices=[('as_usual', 'As on any day'), ('never', 'Not on holidays'), ('only', 'On holidays only')], default=oncall.domain.rotations.HolidayRule['AS_USUAL'], help_text='By the holidays of the schedule.', max_length=8)),
            ],
            options={
                'ordering': ['schedule', 'position', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.CharField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\Z', 'Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.'), oncall.models.schedules.not_a_page])),
                ('name', models.CharField(max_length=120)),
                ('timezone', models.CharField(default='UTC', help_text='In which handovers and restrictions are read, e.g. Europe/London.', max_length=64, validators=[oncall.models.schedules.known_zone])),
                ('description', models.TextField(blank=True)),
                ('holidays', models.ForeignKey(blank=True, help_text='For layers that hold on holidays only, or not then.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='schedules', to='oncall.holidaycalendar')),
                ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='schedules', to='catalog.team')),
            ],
            options={
                'ordering': ['slug'],
            },
        ),
        migrations.CreateModel(
            name='EscalationPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.CharField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\Z', 'Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.'), oncall.models.policies.not_a_page])),
                ('name', models.CharField(max_length=120)),
                ('description', models.TextField(blank=True)),
                ('is_default', models.BooleanField(default=False, help_text='For services that have no policy of their own.', verbose_name='default')),
                ('loops', models.PositiveSmallIntegerField(default=3, help_text='How often it calls all levels, while nobody acknowledges.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(20)])),
                ('repeat_after', models.DurationField(default=datetime.timedelta(seconds=900), help_text='From the last level to the first one again.', validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=60))])),
                ('ack_timeout', models.DurationField(blank=True, help_text='Without activity for so long, whoever acknowledged is asked: still on it?', null=True, validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=300))])),
                ('timezone', models.CharField(default='UTC', max_length=64, validators=[oncall.models.schedules.known_zone])),
                ('work_begins', models.TimeField(default=datetime.time(9, 0))),
                ('work_ends', models.TimeField(default=datetime.time(17, 0))),
                ('work_days', models.JSONField(default=oncall.models.policies.monday_to_friday, validators=[oncall.models.schedules.weekday_list])),
                ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='policies', to='catalog.team')),
                ('holidays', models.ForeignKey(blank=True, help_text='Days on which nobody works, whatever weekday it is.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='policies', to='oncall.holidaycalendar')),
            ],
            options={
                'verbose_name_plural': 'escalation policies',
                'ordering': ['slug'],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('is_default',), name='oncall_policy_one_default', violation_error_message='Another policy is the default already.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='LayerMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField()),
                ('layer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='members', to='oncall.layer')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rotations', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['layer', 'position'],
                'constraints': [
                    models.UniqueConstraint(fields=('layer', 'position'), name='oncall_member_position'),
                ],
            },
        ),
        migrations.CreateModel(
            name='LayerRestriction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('begins', models.TimeField(default=datetime.time(9, 0))),
                ('ends', models.TimeField(default=datetime.time(17, 0), help_text='On the next day when it is not after; the same is a whole day.')),
                ('weekdays', models.JSONField(default=list, validators=[oncall.models.schedules.weekday_list])),
                ('layer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='restrictions', to='oncall.layer')),
            ],
            options={
                'ordering': ['layer', 'begins', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='OverrideFeed',
            fields=[
                ('schedule', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='override_feed', serialize=False, to='oncall.schedule')),
                ('sealed_url', models.TextField(editable=False, help_text='The address may be the secret.')),
                ('read_at', models.DateTimeField(blank=True, help_text='Last time it was tried.', null=True)),
                ('good_at', models.DateTimeField(blank=True, help_text='Last time it could be read.', null=True)),
                ('problem', models.TextField(blank=True, help_text='What of it was not taken over, and why.')),
            ],
        ),
        migrations.CreateModel(
            name='Override',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('created_by', models.CharField(editable=False, max_length=200)),
                ('feed_uid', models.CharField(blank=True, editable=False, help_text='Of the calendar event it came from.', max_length=64)),
                ('person', models.ForeignKey(blank=True, help_text='Empty: nobody is on call.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='overrides', to=settings.AUTH_USER_MODEL)),
                ('schedule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='overrides', to='oncall.schedule')),
            ],
            options={
                'ordering': ['schedule', 'starts_at', 'pk'],
                'indexes': [
                    models.Index(fields=['schedule', 'ends_at'], name='oncall_override_lookup'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='oncall_override_ends_after_start', violation_error_message='An override ends after it starts.'),
                ],
            },
        ),
        migrations.AddField(
            model_name='layer',
            name='schedule',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='layers', to='oncall.schedule'),
        ),
        migrations.CreateModel(
            name='Handoff',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='When one went and the other came.')),
                ('notes', models.TextField(blank=True, help_text='What whoever comes must know.')),
                ('given_at', models.DateTimeField(blank=True, help_text='Signed by who went.', null=True)),
                ('given_by', models.CharField(blank=True, max_length=200)),
                ('taken_at', models.DateTimeField(blank=True, help_text='Signed by who came.', null=True)),
                ('taken_by', models.CharField(blank=True, max_length=200)),
                ('incoming', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='handoffs_taken', to=settings.AUTH_USER_MODEL)),
                ('outgoing', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='handoffs_given', to=settings.AUTH_USER_MODEL)),
                ('schedule', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='handoffs', to='oncall.schedule')),
            ],
            options={
                'ordering': ['-at', '-pk'],
                'constraints': [
                    models.UniqueConstraint(fields=('schedule', 'at'), name='oncall_handoff_once'),
                ],
            },
        ),
        migrations.CreateModel(
            name='CalendarFeed',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('created_at', models.DateTimeField()),
                ('read_at', models.DateTimeField(blank=True, help_text='Last time somebody read it.', null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='calendar_feeds', to=settings.AUTH_USER_MODEL)),
                ('schedule', models.ForeignKey(blank=True, help_text="Empty: the person's own shifts, of every schedule.", null=True, on_delete=django.db.models.deletion.CASCADE, related_name='calendar_feeds', to='oncall.schedule')),
            ],
            options={
                'ordering': ['-created_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='PolicyLevel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(9)])),
                ('name', models.CharField(help_text='e.g. On-call engineer.', max_length=120)),
                ('mode', models.CharField(choices=[('all', 'All of them'), ('round_robin', 'The next one of them each time')], default='all', max_length=12)),
                ('acknowledgements', models.PositiveSmallIntegerField(db_default=1, default=1, help_text='How many people must acknowledge, once it was called, before calling stops.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(9)])),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='levels', to='oncall.escalationpolicy')),
            ],
            options={
                'ordering': ['policy', 'number'],
                'constraints': [
                    models.UniqueConstraint(fields=('policy', 'number'), name='oncall_level_number'),
                ],
            },
        ),
        migrations.CreateModel(
            name='LevelTarget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(blank=True, choices=[('responder', 'Responder'), ('manager', 'Manager'), ('admin', 'Admin')], help_text='Everybody whose role it is, e.g. all managers.', max_length=20)),
                ('channel', models.ForeignKey(blank=True, help_text='A channel of a team, e.g. its webhook.', limit_choices_to={'person': None}, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='targets', to='notifications.contactmethod')),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='targets', to=settings.AUTH_USER_MODEL)),
                ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='targets', to='catalog.team')),
                ('schedule', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='targets', to='oncall.schedule')),
                ('level', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='targets', to='oncall.policylevel')),
            ],
            options={
                'ordering': ['level', 'pk'],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(models.Q(('channel', None), ('person', None), ('role', ''), ('schedule__isnull', False), ('team', None)), models.Q(('channel', None), ('person__isnull', False), ('role', ''), ('schedule', None), ('team', None)), models.Q(('channel', None), ('person', None), ('role', ''), ('schedule', None), ('team__isnull', False)), models.Q(('channel__isnull', False), ('person', None), ('role', ''), ('schedule', None), ('team', None)), models.Q(('channel', None), ('person', None), ('schedule', None), ('team', None), models.Q(('role', ''), _negated=True)), _connector='OR'), name='oncall_target_is_one', violation_error_message='Name a schedule, person, team, role or channel: one of them.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='ServicePolicy',
            fields=[
                ('service', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='escalation', serialize=False, to='catalog.service')),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='services', to='oncall.escalationpolicy')),
            ],
            options={
                'verbose_name_plural': 'service policies',
            },
        ),
        migrations.CreateModel(
            name='ShiftSwap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('state', models.CharField(choices=[('asked', 'Asked'), ('accepted', 'Accepted'), ('withdrawn', 'Withdrawn')], default='asked', max_length=10)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='swaps_asked', to=settings.AUTH_USER_MODEL)),
                ('offered_to', models.ForeignKey(blank=True, help_text='Empty: anybody who responds.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='swaps_offered', to=settings.AUTH_USER_MODEL)),
                ('override', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='swap', to='oncall.override')),
                ('schedule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='swaps', to='oncall.schedule')),
            ],
            options={
                'ordering': ['-starts_at', '-pk'],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='oncall_swap_ends_after_start', violation_error_message='A swap ends after it starts.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Timing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phase', models.CharField(choices=[(oncall.domain.escalations.Phase['UNACKNOWLEDGED'], 'Until acknowledged'), (oncall.domain.escalations.Phase['UNRESOLVED'], 'Until resolved')], default=oncall.domain.escalations.Phase['UNACKNOWLEDGED'], max_length=16)),
                ('severity', models.CharField(choices=[('P0', 'P0 critical'), ('P1', 'P1 high'), ('P2', 'P2 medium'), ('P3', 'P3 low')], max_length=2)),
                ('level', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(9)])),
                ('after', models.DurationField(default=datetime.timedelta(0), help_text='From the start.', validators=[django.core.validators.MinValueValidator(datetime.timedelta(0))])),
                ('urgency', models.CharField(choices=[(oncall.domain.escalations.Urgency['HIGH'], 'High: wake people'), (oncall.domain.escalations.Urgency['LOW'], 'Low: it can wait')], default=oncall.domain.escalations.Urgency['HIGH'], max_length=4)),
                ('in_working_hours', models.BooleanField(default=False, help_text='Only working time counts as waiting.')),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='timings', to='oncall.escalationpolicy')),
            ],
            options={
                'ordering': ['policy', 'phase', 'severity', 'after', 'level'],
                'constraints': [
                    models.UniqueConstraint(fields=('policy', 'phase', 'severity', 'level'), name='oncall_timing_once'),
                    models.CheckConstraint(condition=models.Q(('after__gte', datetime.timedelta(0))), name='oncall_timing_not_before'),
                ],
            },
        ),
        migrations.CreateModel(
            name='FallbackContact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('channel', models.ForeignKey(blank=True, limit_choices_to={'person': None}, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='fallbacks', to='notifications.contactmethod')),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='fallbacks', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(models.Q(('channel__isnull', False), ('person', None)), models.Q(('channel', None), ('person__isnull', False)), _connector='OR'), name='oncall_fallback_is_one', violation_error_message='Name a person or a channel.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Holiday',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('on', models.DateField()),
                ('name', models.CharField(blank=True, max_length=120)),
                ('is_worked', models.BooleanField(default=False, help_text='People work although it is a public holiday.', verbose_name='worked')),
                ('calendar', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='days', to='oncall.holidaycalendar')),
            ],
            options={
                'ordering': ['calendar', 'on'],
                'constraints': [
                    models.UniqueConstraint(fields=('calendar', 'on'), name='oncall_holiday_once'),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name='layer',
            constraint=models.UniqueConstraint(fields=('schedule', 'position'), name='oncall_layer_position'),
        ),
    ]
