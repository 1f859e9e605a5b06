"""How many people must acknowledge a level; added in place, so that triggers on the table stay."""

import django.core.validators
from django.db import migrations, models

import oncall.models.policies

ADD = (
    "ALTER TABLE oncall_policylevel ADD COLUMN acknowledgements smallint{unsigned}"
    " DEFAULT 1 NOT NULL CHECK (acknowledgements >= 0)"
)


def add(apps, schema_editor):
    unsigned = " unsigned" if schema_editor.connection.vendor == "sqlite" else ""
    schema_editor.execute(ADD.format(unsigned=unsigned))


def remove(apps, schema_editor):
    schema_editor.execute("ALTER TABLE oncall_policylevel DROP COLUMN acknowledgements")


class Migration(migrations.Migration):

    dependencies = [("oncall", "0005_handoffs")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add, remove)],
            state_operations=[
                migrations.AddField(
                    model_name="policylevel",
                    name="acknowledgements",
                    field=models.PositiveSmallIntegerField(
                        db_default=1,
                        default=1,
                        help_text="How many people must acknowledge, once it was called, before calling stops.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(9),
                        ],
                    ),
                ),
            ],
        ),
        migrations.AlterField(
            model_name="escalationpolicy",
            name="slug",
            field=models.CharField(
                max_length=63,
                unique=True,
                validators=[
                    django.core.validators.RegexValidator(
                        "\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\Z",
                        "Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.",
                    ),
                    oncall.models.policies.not_a_page,
                ],
            ),
        ),
    ]
