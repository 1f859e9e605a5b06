"""What decided calls is stored once for all that share it, and stays as it was."""

from django.db import migrations, models

from core import append_only

DECISIONS = "incidents_calldecision"


def guard(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    with schema_editor.connection.cursor() as cursor:
        for statement in append_only.guard(vendor, DECISIONS):
            cursor.execute(statement)


def lift(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    with schema_editor.connection.cursor() as cursor:
        for statement in append_only.lift(vendor, DECISIONS):
            cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0015_postmortems'),
    ]

    operations = [
        migrations.CreateModel(
            name='CallDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('facts', models.JSONField()),
            ],
        ),
        migrations.RunPython(guard, lift),
    ]
