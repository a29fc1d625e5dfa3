"""Letting a client through a security group, as a resource of whoever asks for it."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct


def admit(
    scope: Construct, id_: str, *, to: ec2.ISecurityGroup, client: ec2.ISecurityGroup, port: int, description: str
) -> ec2.CfnSecurityGroupIngress:
    """Add a rule to the group `to` that lets the group `client` in.

    A security group's own `add_ingress_rule` writes the rule where the group is. Then a later lesson would change the
    group, and what waits for the group would wait for that lesson's rules as well. Here the rule is a resource of
    `scope`, the one that asks; the group stays as it is. Nothing of the client's group changes either: it must be open
    outbound, or get a rule of its own with `let_out`.

    :param scope: whose rule it is. It comes and goes with it.

    https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
    """
    return ec2.CfnSecurityGroupIngress(
        scope,
        id_,
        group_id=to.security_group_id,
        source_security_group_id=client.security_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=description,
    )


def let_out(
    scope: Construct, id_: str, *, of: ec2.ISecurityGroup, server: ec2.ISecurityGroup, port: int, description: str
) -> ec2.CfnSecurityGroupEgress:
    """Add a rule to the group `of`, which is shut outbound, that lets it out to the group `server`."""
    return ec2.CfnSecurityGroupEgress(
        scope,
        id_,
        group_id=of.security_group_id,
        destination_security_group_id=server.security_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=description,
    )
