"""Who does what in an incident, what is told of it, and templates; what was told stays as it was."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core import append_only

UPDATES = "incidents_statusupdate"


def guard(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    with schema_editor.connection.cursor() as cursor:
        for statement in append_only.guard(vendor, UPDATES):
            cursor.execute(statement)


def lift(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    with schema_editor.connection.cursor() as cursor:
        for statement in append_only.lift(vendor, UPDATES):
            cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0013_deliveries'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CommunicationTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('kind', models.CharField(choices=[('initial', 'Initial notification'), ('update', 'Status update'), ('resolution', 'Resolution')], max_length=10)),
                ('audience', models.CharField(choices=[('internal', 'Internal'), ('public', 'Public')], max_length=8)),
                ('name', models.CharField(max_length=100)),
                ('text', models.TextField(help_text='May have {service}, {severity}, {title}, {since}, {impact}, {next_update}.', max_length=5000)),
            ],
            options={
                'ordering': ['audience', 'kind', 'name'],
                'constraints': [models.UniqueConstraint(fields=('audience', 'kind', 'name'), name='incidents_communication_template_name_once', violation_error_message='There is a template of this name for that already.')],
            },
        ),
        migrations.CreateModel(
            name='IncidentRole',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('commander', 'Commander'), ('communications', 'Communications'), ('operations', 'Operations'), ('scribe', 'Scribe')], max_length=16)),
                ('holder_name', models.CharField(blank=True, help_text='Outlives the account; empty: nobody has the role.', max_length=200)),
                ('since', models.DateTimeField(blank=True, null=True)),
                ('offered_at', models.DateTimeField(blank=True, null=True)),
                ('offered_by', models.CharField(blank=True, max_length=200)),
                ('holder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='incident_roles', to=settings.AUTH_USER_MODEL)),
                ('incident', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='roles', to='incidents.incident')),
                ('offered_to', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='offered_roles', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['incident', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('incident', 'role'), name='incidents_role_once')],
            },
        ),
        migrations.CreateModel(
            name='StatusUpdate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('audience', models.CharField(choices=[('internal', 'Internal'), ('public', 'Public')], max_length=8)),
                ('state', models.CharField(blank=True, choices=[('investigating', 'Investigating'), ('identified', 'Identified'), ('monitoring', 'Monitoring'), ('resolved', 'Resolved')], help_text='Of public ones.', max_length=13)),
                ('text', models.TextField(max_length=5000)),
                ('author', models.CharField(max_length=200)),
                ('at', models.DateTimeField()),
                ('incident', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='status_updates', to='incidents.incident')),
            ],
            options={
                'ordering': ['at', 'pk'],
                'indexes': [models.Index(fields=['incident', 'at', 'id'], name='incidents_status_update')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('audience', 'internal'), ('state', '')), models.Q(('audience', 'public'), ('state__in', ['investigating', 'identified', 'monitoring', 'resolved'])), _connector='OR'), name='incidents_status_update_state_iff_public')],
            },
        ),
        migrations.RunPython(guard, lift),
    ]
