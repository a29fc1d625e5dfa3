"""ShopRuntime: what the shop needs wherever it runs, said once for EC2 and Fargate."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.asset_bucket import AssetBucket
from brew_constructs.catalog_table import CatalogTable

SHOP_PORT = 8080
SHOP_TIME_ZONE = "Europe/Vienna"


class ShopRuntime(Construct):
    """The environment variables and the permissions of the shop's process, and the key that signs its cookies.

    The shop reads one Systems Manager parameter, `<parameter_root>/storefront/config`, and looks again every 30
    seconds. In this phase the parameter does not exist, and the shop does everything itself. A later phase hands over a
    task of the shop by creating that parameter as its last step. So the permission to read it is here from the start,
    although there is nothing to read yet.

    :param parameter_root: the path above the parameter, for example `/brew-haven/s01`.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html
    """

    def __init__(
        self, scope: Construct, id_: str, *, catalog: CatalogTable, assets: AssetBucket, parameter_root: str
    ) -> None:
        super().__init__(scope, id_)
        self._catalog = catalog
        self._assets = assets
        self.config_parameter_name = f"{parameter_root}/storefront/config"
        self.session_secret = secretsmanager.Secret(
            self,
            "SessionSecret",
            description="Signs the session cookies of the shop",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.environment = {
            "CATALOG_TABLE": catalog.table.table_name,
            "ASSET_BUCKET": assets.bucket.bucket_name,
            "SESSION_SECRET_ARN": self.session_secret.secret_arn,
            "SHOP_CONFIG_PARAMETER": self.config_parameter_name,
            "SHOP_TIME_ZONE": SHOP_TIME_ZONE,
        }

        acknowledge(
            self.session_secret,
            {
                "AwsSolutions-SMG4": "A new key ends every session, so the shop must first accept two keys at a time. "
                "The phase about secrets teaches it that, and adds the rotation from its own stack."
            },
        )

    def grant_to(self, role: iam.IRole) -> None:
        """Allow the shop's process what it does: its items, its pictures, its cookie key and its configuration."""
        self._catalog.grant_shop_access(role)
        self._assets.grant_read(role)
        self._assets.grant_upload(role)
        self.session_secret.grant_read(role)
        # There is no parameter object to call grant_read on: it is the later phase that creates the parameter.
        iam.Grant.add_to_principal(
            grantee=role,
            actions=["ssm:GetParameter"],
            resource_arns=[
                cdk.Stack.of(self).format_arn(
                    service="ssm", resource="parameter", resource_name=self.config_parameter_name.lstrip("/")
                )
            ],
        )
