"""Phase 1: the shop, on the services that everything else stands on."""

import aws_cdk as cdk

from brew_constructs.asset_bucket import AssetBucket
from brew_constructs.catalog_table import BY_CATEGORY, OPEN_ORDERS, CatalogTable
from brew_constructs.shop_network import ShopNetwork
from brew_constructs.shop_runtime import ShopRuntime
from brew_constructs.staff_roles import StaffRoles
from brew_constructs.storefront import Storefront
from brew_constructs.storefront_instance import StorefrontInstance
from stacks.lessons import lesson
from stacks.phase_stack import PhaseStack

OPEN_TO_EVERYBODY = (
    "this allowed_cidr opens the shop to the whole internet, over plain HTTP: passwords can be read on the way. "
    "Give your own address instead, for example -c allowed_cidr=203.0.113.7/32."
)


class Phase1Foundation(PhaseStack):
    """DynamoDB, S3, IAM, EC2 and Fargate: a whole coffee shop, still in one piece."""

    phase = 1
    title = "Foundation"

    @lesson("1.1", "The menu in one table")
    def menu_table(self) -> None:
        self.catalog = CatalogTable(self, "CatalogTable", capacity=self.settings.catalog_capacity)
        self.output("CatalogTableName", self.catalog.table.table_name, "The table with everything the shop knows")

    @lesson("1.2", "Access patterns")
    def access_patterns(self) -> None:
        self.catalog.add_index(BY_CATEGORY)

    @lesson("1.3", "Assets")
    def pictures(self) -> None:
        self.assets = AssetBucket(self, "AssetBucket")
        self.assets.add_pictures()
        self.output("AssetBucketName", self.assets.bucket.bucket_name, "The bucket with the pictures and uploads")

    @lesson("1.4", "Roles")
    def staff(self) -> None:
        self.catalog.add_index(OPEN_ORDERS)
        self.staff_roles = StaffRoles(self, "StaffRoles", catalog=self.catalog, assets=self.assets)
        self.output("BaristaRoleArn", self.staff_roles.barista.role_arn, "Assume it to work at the counter")
        self.output("ManagerRoleArn", self.staff_roles.manager.role_arn, "Assume it to keep the menu")
        self.output("AuditorRoleArn", self.staff_roles.auditor.role_arn, "Assume it to look at how the shop is set up")

    @lesson("1.5", "The shop on EC2")
    def shop_on_ec2(self) -> None:
        if self.settings.is_open_to_everybody:
            cdk.Annotations.of(self).add_warning_v2("brew-haven:OpenToEverybody", OPEN_TO_EVERYBODY)
        self.network = ShopNetwork(self, "ShopNetwork")
        self.runtime = ShopRuntime(
            self,
            "ShopRuntime",
            catalog=self.catalog,
            assets=self.assets,
            parameter_root=self.settings.parameter_root,
        )
        self.instance = StorefrontInstance(
            self,
            "StorefrontInstance",
            vpc=self.network.vpc,
            runtime=self.runtime,
            allowed_cidr=self.settings.allowed_cidr,
        )
        self.output("InstanceId", self.instance.instance.ref, "The instance, for Session Manager")
        self.output("InstanceUrl", self.instance.url, "The shop on EC2")

    @lesson("1.6", "The shop on Fargate")
    def shop_on_fargate(self) -> None:
        if self.settings.storefront == "ec2":
            return  # chosen by a student who cannot build an image
        self.storefront = Storefront(
            self,
            "Storefront",
            vpc=self.network.vpc,
            runtime=self.runtime,
            allowed_cidr=self.settings.allowed_cidr,
            namespace_name=f"{self.settings.prefix}brew-haven.internal",
            least_tasks=self.settings.storefront_tasks,
        )
        self.output("ShopUrl", self.storefront.url, "The shop")
        self.output("StorefrontClusterName", self.storefront.cluster.cluster_name, "The cluster of the shop's tasks")
        self.output(
            "StorefrontServiceName", self.storefront.service.service_name, "The service that keeps them running"
        )
        self.output("StorefrontLogGroupName", self.storefront.log_group.log_group_name, "What the tasks write")

    @lesson("1.7", "Boundaries")
    def boundaries(self) -> None:
        self.staff_boundary = self.staff_roles.limit()
        self.output("StaffBoundaryArn", self.staff_boundary.managed_policy_arn, "The most that staff can be allowed")
