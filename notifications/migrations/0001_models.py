import datetime
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('notifications', '0001_initial'),
        ('notifications', '0002_slack_and_push'),
        ('notifications', '0003_web_push'),
    ]

    dependencies = [
        ('catalog', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ContactMethod',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('kind', models.CharField(choices=[('email', 'Email'), ('sms', 'Text message'), ('voice', 'Telephone call'), ('webhook', 'Webhook'), ('slack', 'Slack'), ('apprise', 'Push service'), ('web_push', 'Browser')], max_length=20)),
                ('label', models.CharField(help_text='How lists call it, e.g. my phone.', max_length=100)),
                ('sealed_address', models.TextField(editable=False)),
                ('sealed_secret', models.TextField(blank=True, editable=False, help_text='With which webhooks are signed.')),
                ('is_enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('verified_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('code_digest', models.CharField(blank=True, editable=False, max_length=64)),
                ('code_expires_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('code_tries', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('delivered_at', models.DateTimeField(blank=True, editable=False, help_text='Last time its provider took a message.', null=True)),
                ('failed_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('next_at', models.DateTimeField(blank=True, editable=False, help_text='Not before then, but for a P0.', null=True)),
                ('problem', models.CharField(blank=True, editable=False, max_length=500)),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='contact_methods', to=settings.AUTH_USER_MODEL)),
                ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='channels', to='catalog.team')),
            ],
            options={
                'ordering': ['person', 'team', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='NotificationRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('urgency', models.CharField(choices=[('high', 'High: wake me'), ('low', 'Low: it can wait')], max_length=4)),
                ('delay', models.DurationField(default=datetime.timedelta(0), help_text='Counted from when the person is called; only if they have not answered by then.', validators=[django.core.validators.MaxValueValidator(datetime.timedelta(days=1))])),
                ('method', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rules', to='notifications.contactmethod')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notification_rules', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['person', 'urgency', 'delay', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='QuietHours',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('begins', models.TimeField(default=datetime.time(22, 0))),
                ('ends', models.TimeField(default=datetime.time(7, 0), help_text='On the next day when it is not after.')),
                ('person', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='quiet_hours', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'quiet hours',
            },
        ),
        migrations.AddConstraint(
            model_name='contactmethod',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('person', None), ('team__isnull', False)), models.Q(('person__isnull', False), ('team', None)), _connector='OR'), name='notifications_method_of_one', violation_error_message='It belongs to a person or to a team.'),
        ),
        migrations.AddConstraint(
            model_name='notificationrule',
            constraint=models.UniqueConstraint(fields=('person', 'urgency', 'method', 'delay'), name='notifications_rule_once'),
        ),
        migrations.AddConstraint(
            model_name='notificationrule',
            constraint=models.CheckConstraint(condition=models.Q(('delay__gte', datetime.timedelta(0))), name='notifications_rule_not_before'),
        ),
    ]
