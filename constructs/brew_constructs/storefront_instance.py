"""StorefrontInstance: the shop on one EC2 instance."""

from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.shop_runtime import SHOP_PORT, ShopRuntime
from brew_constructs.sources import SHOP_CODE_ONLY, STOREFRONT

AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
"""The public parameter in which AWS keeps the id of the newest Amazon Linux 2023 image for Arm."""

PYTHON = "python3.13"
HOME = "/opt/brew-haven"
ENVIRONMENT_FILE = "/etc/brew-haven.env"
UNIT_FILE = "/etc/systemd/system/brew-haven.service"

SERVICE_UNIT = f"""\
[Unit]
Description=Brew Haven, the coffee shop
After=network-online.target
Wants=network-online.target

[Service]
User=brew-haven
WorkingDirectory={HOME}/app
EnvironmentFile={ENVIRONMENT_FILE}
ExecStart={HOME}/venv/bin/python -m shop
Restart=always
RestartSec=2
NoNewPrivileges=yes
CapabilityBoundingSet=
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=multi-user.target
"""


class StorefrontInstance(Construct):
    """The shop on one small EC2 instance, from a launch template.

    The instance fetches the shop's code from an S3 asset when it first starts, so no container image has to be built.
    A new version of the code is a new version of the launch template and with it a new instance: it holds no data, so
    nothing is lost, and nobody patches it by hand.

    There is no SSH: no port 22, no key pair. An administrator opens a shell with Session Manager, which asks IAM who
    may and writes down who did. The metadata service answers version 2 requests only, so that a page that is tricked
    into fetching an address cannot read the instance's credentials.

    :param vpc: the network; the instance is in its first public subnet.
    :param runtime: the environment and the permissions of the shop's process.
    :param allowed_cidr: the only addresses that reach the shop, on port 8080. (A process that is not root cannot have
        port 80; in front of several instances a load balancer does.)
    :param code_directory: the shop's code. By default `storefront/`.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        vpc: ec2.IVpc,
        runtime: ShopRuntime,
        allowed_cidr: str,
        code_directory: Path = STOREFRONT,
    ) -> None:
        super().__init__(scope, id_)
        code = s3_assets.Asset(
            self, "Code", path=str(code_directory), exclude=list(SHOP_CODE_ONLY), ignore_mode=cdk.IgnoreMode.GIT
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            description="What the shop may do when it runs on EC2",
        )
        runtime.grant_to(self.role)
        # The asset's own grant_read would allow every asset of the account.
        self.role.add_to_policy(
            iam.PolicyStatement(
                sid="FetchTheCode",
                actions=["s3:GetObject"],
                resources=[code.bucket.arn_for_objects(code.s3_object_key)],
            )
        )
        self._allow_session_manager()
        self.security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=vpc, description="The shop on EC2: its own port, from the allowed addresses"
        )
        self.security_group.add_ingress_rule(
            ec2.Peer.ipv4(allowed_cidr), ec2.Port.tcp(SHOP_PORT), "Customers at the allowed addresses"
        )
        self.launch_template = ec2.LaunchTemplate(
            self,
            "LaunchTemplate",
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MICRO),
            # Resolved when an instance starts: a new image from AWS changes no template, and so replaces nothing.
            machine_image=ec2.MachineImage.resolve_ssm_parameter_at_launch(AMAZON_LINUX),
            role=self.role,
            security_group=self.security_group,
            user_data=self._user_data(code, runtime.environment),
            require_imdsv2=True,
            http_put_response_hop_limit=1,
            cpu_credits=ec2.CpuCredits.STANDARD,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(8, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3),
                )
            ],
        )
        # The L2 Instance takes no launch template, so the instance itself is the plain CloudFormation resource.
        self.instance = ec2.CfnInstance(
            self,
            "Instance",
            launch_template=ec2.CfnInstance.LaunchTemplateSpecificationProperty(
                launch_template_id=self.launch_template.launch_template_id,
                version=self.launch_template.latest_version_number,
            ),
            subnet_id=vpc.public_subnets[0].subnet_id,
        )
        # Its first start needs all of its permissions, and a way to the internet.
        self.instance.node.add_dependency(self.role, vpc.public_subnets[0])
        acknowledge(
            self.instance,
            {
                "AwsSolutions-EC28": "Metrics of five minutes are free and enough for a shop of one instance; detailed "
                "ones cost about two dollars a month.",
                "AwsSolutions-EC29": "The instance holds nothing that is not in the table, the bucket or the code, so "
                "it may be ended at any time. Protection would only stop the course from being destroyed.",
            },
        )

    @property
    def url(self) -> str:
        """Where the shop answers, once the instance has set itself up (two to three minutes on AWS)."""
        return f"http://{self.instance.attr_public_ip}:{SHOP_PORT}"

    def _allow_session_manager(self) -> None:
        """Allow what Session Manager's agent needs, and no more.

        The managed policy AmazonSSMManagedInstanceCore would do, but it also allows reading every parameter of the
        account. These actions know no resource, so there is nothing to narrow them to.

        https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-add-permissions-to-existing-profile.html
        """
        self.role.add_to_policy(
            iam.PolicyStatement(
                sid="SessionManager",
                actions=[
                    "ssm:UpdateInstanceInformation",
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                resources=["*"],
            )
        )
        acknowledge(
            self.role,
            {
                "AwsSolutions-IAM5[Resource::*]": "Session Manager's own actions know no resource to narrow them to. "
                "They let the agent open its channel to AWS, and reach no data of the shop."
            },
        )

    def _user_data(self, code: s3_assets.Asset, environment: Mapping[str, str]) -> ec2.UserData:
        """The script that turns a bare Amazon Linux into the shop, run once as root."""
        region = cdk.Stack.of(self).region
        # The certificates are for a database that a later phase brings; the image says the same in its Dockerfile.
        own = {"AWS_REGION": region, "PGSSLROOTCERT": f"{HOME}/app/certs/rds-global-bundle.pem"}
        variables = "\n".join(f"{name}={value}" for name, value in {**environment, **own}.items())
        script = ec2.UserData.for_linux()
        script.add_commands(
            "set -euo pipefail",
            f"dnf install --assumeyes {PYTHON} {PYTHON}-pip",
            f"useradd --system --home-dir {HOME} --shell /sbin/nologin brew-haven",
        )
        archive = script.add_s3_download_command(
            bucket=code.bucket, bucket_key=code.s3_object_key, local_file=f"{HOME}/shop.zip", region=region
        )
        script.add_commands(
            f"{PYTHON} -m zipfile -e {archive} {HOME}/app",
            f"{PYTHON} -m venv {HOME}/venv",
            f"{HOME}/venv/bin/pip install --no-cache-dir --requirement {HOME}/app/requirements.txt",
            f"cat > {ENVIRONMENT_FILE} <<'END'\n{variables}\nEND",
            f"cat > {UNIT_FILE} <<'END'\n{SERVICE_UNIT}END",
            "systemctl daemon-reload",
            "systemctl enable --now brew-haven",
        )
        return script
