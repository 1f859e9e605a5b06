"""What an ARN says of a service."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.domain.aws_identifiers import identifiers_of


@pytest.mark.parametrize(
    ("arn", "found"),
    [
        (
            "arn:aws:ecs:us-west-2:123456789012:service/prod/web",
            {"aws_region": "us-west-2", "ecs_cluster": "prod", "ecs_service": "web"},
        ),
        (
            "arn:aws-cn:ecs:cn-north-1:123456789012:cluster/prod",
            {"aws_region": "cn-north-1", "ecs_cluster": "prod"},
        ),
        (
            "arn:aws:rds:eu-west-1:123456789012:db:orders",
            {"aws_region": "eu-west-1", "rds_instance": "orders"},
        ),
        (
            "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/users/50dc6c495c0c9188",
            {"aws_region": "eu-west-1", "load_balancer": "app/users/50dc6c495c0c9188"},
        ),
        ("arn:aws:s3:::bucket", {}),
        ("not an arn", {}),
    ],
)
def test_documented_forms(arn: str, found: dict[str, str]) -> None:
    """The forms that AWS documents are read; others give nothing."""
    assert identifiers_of(arn) == found


@given(st.text())
def test_any_text_is_safe(text: str) -> None:
    """Whatever an annotation holds, it is read or left."""
    assert isinstance(identifiers_of(f"arn:aws:ecs:r:a:{text}"), dict)
