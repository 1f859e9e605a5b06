"""Where a service runs in AWS, from the ARNs that catalogs annotate it with.

    arn:partition:service:region:account:resource
    arn:aws:ecs:eu-west-1:123456789012:service/production/checkout
    arn:aws:rds:eu-west-1:123456789012:db:orders
    arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/users/50dc6c495c0c9188

Source: AWS General Reference, "Amazon Resource Names (ARNs)",
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

__all__ = ["identifiers_of"]


def identifiers_of(arn: str) -> dict[str, str]:
    """Return what an ARN says, by field of a service; empty when it is none that is kept.

    Known are ECS clusters and services, RDS instances, and load balancers.
    """
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        return {}
    _, _, product, region, _, resource = parts
    found = _resource(product, resource)
    return {"aws_region": region, **found} if found and region else found


def _resource(product: str, resource: str) -> dict[str, str]:
    match product, resource.replace(":", "/").split("/"):
        case "ecs", ["service", cluster, service]:
            return {"ecs_cluster": cluster, "ecs_service": service}
        case "ecs", ["service", service]:
            return {"ecs_service": service}
        case "ecs", ["cluster", cluster]:
            return {"ecs_cluster": cluster}
        case "rds", ["db", instance]:
            return {"rds_instance": instance}
        case "elasticloadbalancing", ["loadbalancer", *name] if name:
            return {"load_balancer": "/".join(name)}
    return {}
