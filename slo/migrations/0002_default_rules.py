"""The operations guide's critical and warning alerts; people change or delete them afterwards."""

from django.db import migrations

DEFAULTS = [
    ("availability", "Availability below 99 %", "availability", "below", "0.99", 50, 500, "P0"),
    ("error-rate", "Error rate above 5 %", "error_rate", "above", "0.05", 50, 400, "P0"),
    ("database-failures", "Database connection failures", "database_failures", "above", "0", 0, 500, "P0"),
    ("breaker-open", "Circuit breaker open", "breakers_open", "above", "0", 0, 500, "P0"),
    ("response-time", "Response time above 2 s (p95)", "p95_ms", "above", "2000", 50, 500, "P1"),
    ("cpu", "CPU utilization above 80 %", "cpu", "above", "0.8", 0, 500, "P1"),
    ("memory", "Memory utilization above 85 %", "memory", "above", "0.85", 0, 500, "P1"),
    ("slow-queries", "Database slow queries", "slow_queries", "above", "0", 0, 500, "P1"),
]


def create_defaults(apps, schema_editor):
    """Create the guide's rules once; whoever deletes one is not contradicted at the next start."""
    rule = apps.get_model("slo", "ThresholdRule")
    names = ("slug", "name", "metric", "comparison", "threshold", "minimum_events", "error_from", "severity")
    rule.objects.bulk_create(rule(**dict(zip(names, row, strict=True))) for row in DEFAULTS)


class Migration(migrations.Migration):

    replaces = [("slo", "0003_threshold_rules")]

    dependencies = [("slo", "0001_models")]

    operations = [migrations.RunPython(create_defaults, migrations.RunPython.noop)]
