"""OrderDatabase: the PostgreSQL database of the shop's orders."""

import hashlib
from typing import Any, cast

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.admission import admit, let_out

DATABASE = "brewhaven"
MASTER_USER = "brewhaven"
PORT = 5432
CONNECTIONS = 80
"""What a t4g.micro with its 1 GB of memory has to give: about 110 by RDS's formula, less what RDS keeps for itself."""

_ENGINE = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_16)
_SIZE = ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MICRO)
_ISOLATED = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)


class OrderDatabase(Construct):
    """RDS for PostgreSQL 16, for orders: transactions, constraints, and questions that nobody has thought of yet.

    The database is in the isolated subnets, so that nothing outside the network can reach it, and admits only whom
    `admit` names. It speaks TLS or not at all (`rds.force_ssl`); a client checks the certificate against the
    authorities in the file that its variable `PGSSLROOTCERT` names. Storage, backups and logs are encrypted.

    Nobody chooses its password: RDS's CDK construct generates one into a secret of Secrets Manager, as JSON with
    `username`, `password`, `host`, `port`, `dbname` and `engine`. Who may read the secret may be this user. It is the
    master user, which owns the tables; users with fewer rights, and passwords that change, are the business of a later
    phase.

    Every day there is an automatic backup, and the log of all changes is kept, so that any second of the last week can
    be restored, as a *new* instance. Slow statements (more than half a second) and every connection are written to
    CloudWatch Logs.

    What it costs in us-east-1: 0.016 USD an hour for the instance and 2.30 USD a month for 20 GB, some 14 USD a month.
    A standby (`multi_az`) and a replica double the instance's part each; the proxy adds 0.03 USD an hour.

    A t4g.micro takes about 80 connections. The shop's tasks keep pools, each function one connection an environment;
    the sum of all their limits must stay below, or the database refuses whoever comes last.

    :param vpc: the network, with isolated subnets in two zones.
    :param name: the name of the instance, unique in the account and region. It is chosen here, and not generated,
        because RDS derives its log group's name from it, and a log group that RDS makes by itself keeps everything for
        ever.
    :param multi_az: a standby in another zone. By default there is none: a failed zone means a restore.
    :param replica: a read replica, which lags behind by some milliseconds. By default there is none.
    :param proxy: RDS Proxy in front, which lets many clients share few connections. By default there is none; with it,
        `host` is the proxy.
    :param snapshot: the identifier or ARN of a snapshot to build the instance from. By default it begins empty. Another
        value makes another instance and deletes the one that is there.
    :param removal_policy: what happens to the data when the stack is deleted: DESTROY (the default) deletes it with all
        automatic backups, SNAPSHOT takes a last snapshot, which is billed until it is deleted by hand.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_PostgreSQL.html
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        vpc: ec2.IVpc,
        name: str,
        multi_az: bool = False,
        replica: bool = False,
        proxy: bool = False,
        snapshot: str | None = None,
        removal_policy: cdk.RemovalPolicy = cdk.RemovalPolicy.DESTROY,
    ) -> None:
        super().__init__(scope, id_)
        self._vpc = vpc
        self.name = name if snapshot is None else f"{name}-{hashlib.sha256(snapshot.encode()).hexdigest()[:8]}"
        self.security_group = self._wall("SecurityGroup", "The orders database: whoever it admits, and nothing out")
        self.parameter_group = rds.ParameterGroup(
            self,
            "Parameters",
            engine=_ENGINE,
            description="Brew Haven's orders: TLS only, slow statements in the log",
            parameters={
                "rds.force_ssl": "1",
                "log_connections": "1",
                "log_min_duration_statement": "500",  # milliseconds
                "idle_in_transaction_session_timeout": "60000",  # milliseconds; a forgotten transaction holds its locks
            },
        )
        self.log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/rds/instance/{self.name}/postgresql",
            retention=logs.RetentionDays.ONE_WEEK,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.instance = self._instance(multi_az, snapshot, removal_policy)
        self.instance.node.add_dependency(self.log_group)  # or RDS would make the group first, and CloudFormation fail
        self._let_rds_choose_the_minor_version()
        self.secret = self._secret()
        self.replica = self._replica() if replica else None
        self._proxy_wall = (
            self._wall("ProxySecurityGroup", "The proxy: whoever it admits, and out to the database") if proxy else None
        )
        self.proxy = self._proxy(self._proxy_wall) if self._proxy_wall else None
        self._accept(snapshot)

    @property
    def host(self) -> str:
        """Where clients connect."""
        return self.proxy.endpoint if self.proxy else self.instance.db_instance_endpoint_address

    @property
    def port(self) -> str:
        """The port at which they connect, as RDS says it. The proxy listens on the same."""
        return self.instance.db_instance_endpoint_port

    def admit(self, scope: Construct, id_: str, client: ec2.ISecurityGroup, description: str) -> None:
        """Let a client connect: to the database, and to the proxy if there is one.

        :param scope: whose rule it is: that of the construct that brings the client.
        """
        admit(scope, id_, to=self.security_group, client=client, port=PORT, description=description)
        if self._proxy_wall:
            admit(scope, f"{id_}ToProxy", to=self._proxy_wall, client=client, port=PORT, description=description)

    def let_out(self, scope: Construct, id_: str, client: ec2.ISecurityGroup, description: str) -> None:
        """Let a client that is shut outbound out to here."""
        let_out(scope, id_, of=client, server=self.security_group, port=PORT, description=description)
        if self._proxy_wall:
            let_out(scope, f"{id_}ToProxy", of=client, server=self._proxy_wall, port=PORT, description=description)

    def _wall(self, id_: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, id_, vpc=self._vpc, description=description, allow_all_outbound=False)

    def _instance(
        self, multi_az: bool, snapshot: str | None, removal_policy: cdk.RemovalPolicy
    ) -> rds.DatabaseInstance | rds.DatabaseInstanceFromSnapshot:
        settings: dict[str, Any] = {
            "engine": _ENGINE,
            "instance_type": _SIZE,
            "instance_identifier": self.name,
            "vpc": self._vpc,
            "vpc_subnets": _ISOLATED,
            "security_groups": [self.security_group],
            "port": PORT,
            "multi_az": multi_az,
            "allocated_storage": 20,  # gigabytes, the least
            "storage_type": rds.StorageType.GP3,
            "parameter_group": self.parameter_group,
            "backup_retention": cdk.Duration.days(7),
            "delete_automated_backups": True,
            "cloudwatch_logs_exports": ["postgresql"],
            "auto_minor_version_upgrade": True,
            "publicly_accessible": False,
            "removal_policy": removal_policy,
        }
        if snapshot is None:
            return rds.DatabaseInstance(
                self,
                "Instance",
                **settings,
                database_name=DATABASE,
                credentials=rds.Credentials.from_generated_secret(MASTER_USER),
                storage_encrypted=True,
            )
        # A snapshot brings its tables, its user and its encryption along; the user gets a new password.
        return rds.DatabaseInstanceFromSnapshot(
            self,
            "Instance",
            **settings,
            snapshot_identifier=snapshot,
            credentials=rds.SnapshotCredentials.from_generated_secret(MASTER_USER),
        )

    def _let_rds_choose_the_minor_version(self) -> None:
        """The version says 16 and no more: a new database gets the newest 16.x, and one that is there moves on by
        itself.

        A minor version that is written down cannot be had any more after a year or two. cfn-lint knows minor versions
        alone and takes 16 for an old one.
        """
        element = cast(cdk.CfnResource, self.instance.node.default_child)
        element.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3691"]}})

    def _secret(self) -> secretsmanager.ISecret:
        secret = self.instance.secret
        assert secret is not None, "both kinds of credentials above generate one"
        return secret

    def _replica(self) -> rds.DatabaseInstanceReadReplica:
        return rds.DatabaseInstanceReadReplica(
            self,
            "Replica",
            source_database_instance=self.instance,
            instance_identifier=f"{self.name}-replica",
            instance_type=_SIZE,
            vpc=self._vpc,
            vpc_subnets=_ISOLATED,
            security_groups=[self.security_group],
            parameter_group=self.parameter_group,
            auto_minor_version_upgrade=True,
            publicly_accessible=False,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _proxy(self, wall: ec2.SecurityGroup) -> rds.DatabaseProxy:
        return rds.DatabaseProxy(
            self,
            "Proxy",
            proxy_target=rds.ProxyTarget.from_instance(self.instance),
            secrets=[self.secret],
            vpc=self._vpc,
            vpc_subnets=_ISOLATED,
            security_groups=[wall],
            require_tls=True,
            max_connections_percent=75,
        )

    def _accept(self, snapshot: str | None) -> None:
        acknowledge(
            self.instance,
            {
                "AwsSolutions-RDS3": "A standby doubles the price. The switch database_multi_az turns it on, and the "
                "lesson about it measures what a failover costs without one and with one.",
                "AwsSolutions-RDS10": "Deletion protection is right for a shop that earns money. A course must leave "
                "nothing behind that costs money, so its database can be deleted with its stack.",
                "AwsSolutions-RDS11": "Another port hides a database from nobody who looks. This one is in subnets "
                "without a way in, and admits named security groups alone.",
                "AwsSolutions-SMG4": "A new password needs clients that meet it in the middle of their work, and a "
                "user to fall back on. The phase about secrets adds the rotation from its own stack.",
            },
        )
        if snapshot is not None:
            acknowledge(
                self.instance,
                {
                    "AwsSolutions-RDS2": "An instance that is built from a snapshot is encrypted as the snapshot is, "
                    "and CloudFormation does not let it be said again. The course's snapshots are encrypted, because "
                    "its database is."
                },
            )
        if self.replica:
            acknowledge(
                self.replica,
                {
                    "AwsSolutions-RDS2": "A replica is encrypted as its source is, and RDS does not let it be said "
                    "again.",
                    "AwsSolutions-RDS3": "The replica is the second copy, for reading. A standby of the replica would "
                    "be a third, which nobody would miss.",
                    "AwsSolutions-RDS10": "A replica is made from the database at any time and goes with the lesson "
                    "that looks at its lag.",
                    "AwsSolutions-RDS11": "It speaks on the same port as its source, in the same isolated subnets, and "
                    "admits the same security groups alone.",
                },
            )
