"""What AWS bills for time, whether or not anybody uses it. Requests, traffic and stored gigabytes come on top.

A maintainer updates a figure together with `AS_OF`. Each names the page that it is taken from.
"""

from __future__ import annotations

from dataclasses import dataclass

REGION = "us-east-1"
AS_OF = "March 2026"
HOURS = 730
"""An average month."""


@dataclass(frozen=True)
class Price:
    """US dollars for one hour of one unit, and where AWS publishes it."""

    hourly: float
    page: str


def _monthly(dollars: float, page: str) -> Price:
    return Price(dollars / HOURS, page)


_EC2 = "aws.amazon.com/ec2/pricing/on-demand"
_EBS = "aws.amazon.com/ebs/pricing"
_VPC = "aws.amazon.com/vpc/pricing"
_ECS = "aws.amazon.com/fargate/pricing"
_ELB = "aws.amazon.com/elasticloadbalancing/pricing"
_RDS = "aws.amazon.com/rds/postgresql/pricing"
_CACHE = "aws.amazon.com/elasticache/pricing"
_TABLE = "aws.amazon.com/dynamodb/pricing/provisioned"
_WATCH = "aws.amazon.com/cloudwatch/pricing"
_WAF = "aws.amazon.com/waf/pricing"
_STREAM = "aws.amazon.com/kinesis/data-streams/pricing"
_SEARCH = "aws.amazon.com/opensearch-service/pricing"

PRICES: dict[str, Price] = {
    "ipv4": Price(0.005, _VPC),
    "nat": Price(0.045, _VPC),
    "interface-endpoint": Price(0.01, _VPC),
    "alb": Price(0.0225, _ELB),
    "nlb": Price(0.0225, _ELB),
    "fargate-arm-vcpu": Price(0.03238, _ECS),
    "fargate-arm-gb": Price(0.00356, _ECS),
    "fargate-x86-vcpu": Price(0.04048, _ECS),
    "fargate-x86-gb": Price(0.004445, _ECS),
    "ec2-t4g.nano": Price(0.0042, _EC2),
    "ec2-t4g.micro": Price(0.0084, _EC2),
    "ec2-t4g.small": Price(0.0168, _EC2),
    "ec2-t4g.medium": Price(0.0336, _EC2),
    "ec2-t3.nano": Price(0.0052, _EC2),
    "ec2-t3.micro": Price(0.0104, _EC2),
    "ec2-t3.small": Price(0.0208, _EC2),
    "gp3-gb": _monthly(0.08, _EBS),
    "secret": _monthly(0.40, "aws.amazon.com/secrets-manager/pricing"),
    "kms-key": _monthly(1.00, "aws.amazon.com/kms/pricing"),
    "hosted-zone": _monthly(0.50, "aws.amazon.com/route53/pricing"),
    "alarm": _monthly(0.10, _WATCH),
    "dashboard": _monthly(3.00, _WATCH),
    "read-unit": Price(0.00013, _TABLE),
    "write-unit": Price(0.00065, _TABLE),
    "rds-db.t4g.micro": Price(0.016, _RDS),
    "rds-db.t4g.small": Price(0.032, _RDS),
    "rds-db.t4g.medium": Price(0.065, _RDS),
    "rds-gp3-gb": _monthly(0.115, _RDS),
    "rds-proxy-vcpu": Price(0.015, "aws.amazon.com/rds/proxy/pricing"),
    "cache-valkey-cache.t4g.micro": Price(0.0128, _CACHE),
    "cache-valkey-cache.t4g.small": Price(0.0256, _CACHE),
    "cache-redis-cache.t4g.micro": Price(0.016, _CACHE),
    "cache-redis-cache.t4g.small": Price(0.032, _CACHE),
    "kinesis-shard": Price(0.015, _STREAM),
    "kinesis-on-demand": Price(0.04, _STREAM),
    "search-t3.small.search": Price(0.036, _SEARCH),
    "search-t3.medium.search": Price(0.073, _SEARCH),
    "waf-acl": _monthly(5.00, _WAF),
    "waf-rule": _monthly(1.00, _WAF),
    "pipeline-v1": _monthly(1.00, "aws.amazon.com/codepipeline/pricing"),
}

SOURCE = f"AWS list prices of {REGION}, {AS_OF}; requests, traffic and stored data come on top"


def month(hourly: float) -> str:
    """`$16.43 a month`."""
    return f"${hourly * HOURS:,.2f} a month"
