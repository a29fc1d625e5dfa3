"""ShopCache: the Valkey cache for sessions, carts and the menu."""

import json

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.admission import admit

ENGINE = "valkey"
ENGINE_VERSION = "8.0"
NODE = "cache.t4g.micro"
PORT = 6379
USER = "shop"

_ALLOWED = "on ~shop:* resetchannels -@all +@connection +@read +@write +@scripting -@dangerous"
"""What the shop's user may do, in Valkey's own words: ordinary commands with keys that begin with `shop:`, and names of
keys by SCAN; nothing that stops or empties the whole cache, reads its configuration, or listens to channels."""
_FORBIDDEN = "off ~* -@all"


class ShopCache(Construct):
    """ElastiCache for Valkey 8, one small node, for what may be lost: copies of sessions, of carts and of the menu.

    It is in the isolated subnets and admits whom `admit` names. It speaks TLS from the first byte, with a
    certificate of Amazon Trust Services, which every system knows. It asks for a user and a password: ElastiCache's
    role-based access control gives the user `shop` the commands that the shop needs. The user `default`, which a client
    without a name would be, is switched off. The password is generated into a secret, as JSON with `username` and
    `password`.

    There is one node and no backup. While it is away the shop reads the table, as it did before there was a cache; when
    ElastiCache has started an empty one, copies are made anew. Nobody is signed out and no cart is lost, because the
    table has everything. Whatever must survive does not belong here alone.

    What it costs in us-east-1: 0.0128 USD an hour, some 9 USD a month. A replica in another zone with automatic
    failover doubles that. Serverless would be about 6 USD a month for the least of 100 MB, and more with the requests;
    a node is what one can look into, restart and measure.

    :param vpc: the network, with isolated subnets in two zones.
    :param name: the beginning of the names of the user and the user group, unique in the account and region, at most 30
        characters. (ElastiCache has them chosen by whoever makes them.)

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
    """

    def __init__(self, scope: Construct, id_: str, *, vpc: ec2.IVpc, name: str) -> None:
        super().__init__(scope, id_)
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="The shop's user of the cache",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": USER}),
                generate_string_key="password",
                password_length=64,
                exclude_punctuation=True,
            ),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=vpc, description="The cache: whoever it admits", allow_all_outbound=False
        )
        subnets = elasticache.CfnSubnetGroup(
            self,
            "Subnets",
            description="The isolated subnets",
            subnet_ids=[subnet.subnet_id for subnet in vpc.isolated_subnets],
        )
        # The CDK has no stable construct for ElastiCache, so these are the plain CloudFormation resources.
        self.replication_group = elasticache.CfnReplicationGroup(
            self,
            "Valkey",
            replication_group_description="Brew Haven: sessions, carts and the menu",
            engine=ENGINE,
            engine_version=ENGINE_VERSION,
            cache_node_type=NODE,
            num_cache_clusters=1,
            automatic_failover_enabled=False,
            multi_az_enabled=False,
            port=PORT,
            cache_subnet_group_name=subnets.ref,
            security_group_ids=[self.security_group.security_group_id],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            user_group_ids=[self._users(name).ref],
            snapshot_retention_limit=0,
            auto_minor_version_upgrade=True,
        )
        self._accept()

    @property
    def host(self) -> str:
        """Where clients connect."""
        return self.replication_group.attr_primary_end_point_address

    @property
    def port(self) -> str:
        """The port at which they connect, as ElastiCache says it."""
        return self.replication_group.attr_primary_end_point_port

    def metric(self, name: str, *, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric of ElastiCache, such as CacheHits, for the one node that there is."""
        return cloudwatch.Metric(
            namespace="AWS/ElastiCache",
            metric_name=name,
            dimensions_map={"CacheClusterId": f"{self.replication_group.ref}-001"},
            period=cdk.Duration.minutes(1),
            statistic=statistic,
        )

    def admit(self, scope: Construct, id_: str, client: ec2.ISecurityGroup, description: str) -> None:
        """Let a client connect.

        :param scope: whose rule it is: that of the construct that brings the client.
        """
        admit(scope, id_, to=self.security_group, client=client, port=PORT, description=description)

    def _users(self, name: str) -> elasticache.CfnUserGroup:
        password = self.secret.secret_value_from_json("password").unsafe_unwrap()  # a reference, resolved when deployed

        def user(id_: str, user_name: str, access: str) -> elasticache.CfnUser:
            return elasticache.CfnUser(
                self,
                id_,
                engine=ENGINE,
                user_id=f"{name}-{user_name}",
                user_name=user_name,
                access_string=access,
                authentication_mode={"Type": "password", "Passwords": [password]},
            )

        # A user group must have a user called `default`, and a Valkey one no user without a password.
        users = [user("DefaultUser", "default", _FORBIDDEN), user("ShopUser", USER, _ALLOWED)]
        return elasticache.CfnUserGroup(
            self, "Users", engine=ENGINE, user_group_id=name, user_ids=[user.ref for user in users]
        )

    def _accept(self) -> None:
        acknowledge(
            self.replication_group,
            {
                "AwsSolutions-AEC4": "One node is lost with its zone, and with it copies, which is all that is in "
                "it. A second node would double the price for what a customer notices as a slower minute.",
                "AwsSolutions-AEC5": "Another port hides a cache from nobody who looks. This one is in subnets without"
                " a way in, and admits named security groups alone.",
                "AwsSolutions-AEC6": "The rule looks for the one token that all clients would share. Here is a user "
                "with a password and a list of commands, which is the newer and the narrower way.",
            },
        )
        acknowledge(
            self.secret,
            {
                "AwsSolutions-SMG4": "A user can have two passwords at a time, which is how one is changed without a "
                "gap. The phase about secrets adds that from its own stack."
            },
        )
