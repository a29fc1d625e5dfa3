"""AssetBucket: where the shop's pictures and uploads live."""

from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as s3_deployment
from constructs import Construct

from brew_constructs.acknowledge import acknowledge, wildcard
from brew_constructs.sources import MENU_PICTURES, NOT_CODE

MEDIA = "media/"
MENU_MEDIA = "media/menu/"
UPLOADS = "media/uploads/"
INCOMING = "media/uploads/incoming/"
CHECKED = "media/uploads/checked/"


class AssetBucket(Construct):
    """The shop's private S3 bucket: pictures of the menu under `media/menu/`, uploads under `media/uploads/`.

    Nobody reads it without credentials and nobody over plain HTTP. A browser gets a picture, or sends one, with a
    *presigned* URL: the shop signs one request with its own rights and hands it out for a few minutes.

    Old versions of an object are kept for 30 days, so a mistake can be undone; parts of uploads that were never
    finished go after a day. So does an upload as it arrived, under `media/uploads/incoming/`: the shop looks at its
    bytes and shows a copy of what is good, under `media/uploads/checked/`, so that what it refused is nowhere for long.

    The bucket tells EventBridge of every new object from the start, and admits CloudFront distributions of this account
    to `media/`: both are properties of the bucket, which a later stack could not add.

    The bucket is emptied and deleted with its stack, because a course leaves nothing behind that costs money.

    :param upload_origins: the web pages that may send a presigned upload. By default any page: without a signature from
        the shop no upload is accepted, whichever page sends it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html
    """

    def __init__(self, scope: Construct, id_: str, *, upload_origins: Sequence[str] = ("*",)) -> None:
        super().__init__(scope, id_)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            event_bridge_enabled=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="ForgetOldVersions",
                    noncurrent_version_expiration=cdk.Duration.days(30),
                    expired_object_delete_marker=True,
                ),
                s3.LifecycleRule(
                    id="DropUnfinishedUploads", abort_incomplete_multipart_upload_after=cdk.Duration.days(1)
                ),
                s3.LifecycleRule(
                    id="DropUploadsOnceLookedAt",
                    prefix=INCOMING,
                    expiration=cdk.Duration.days(1),
                    noncurrent_version_expiration=cdk.Duration.days(1),
                ),
            ],
            cors=[
                s3.CorsRule(
                    allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.PUT, s3.HttpMethods.POST],
                    allowed_origins=list(upload_origins),
                    allowed_headers=["*"],
                    exposed_headers=["ETag"],
                    max_age=3600,
                )
            ],
            removal_policy=cdk.RemovalPolicy.DESTROY,
            auto_delete_objects=True,
        )
        self._admit_cloudfront()
        acknowledge(
            self.bucket,
            {
                "AwsSolutions-S1": "Server access logs need a second bucket, arrive hours late and are not complete. "
                "Who reads or changes an object is recorded by CloudTrail data events, which a later stack can turn on."
            },
        )

    def add_pictures(self, directory: Path = MENU_PICTURES) -> s3_deployment.BucketDeployment:
        """Copy the menu's pictures into the bucket at every deployment that changes them.

        The copy is made by a function of the CDK; its log group belongs to the stack and keeps a week.
        """
        deployment = s3_deployment.BucketDeployment(
            self,
            "Pictures",
            destination_bucket=self.bucket,
            destination_key_prefix=MENU_MEDIA,
            sources=[
                s3_deployment.Source.asset(str(directory), exclude=list(NOT_CODE), ignore_mode=cdk.IgnoreMode.GIT)
            ],
            cache_control=[s3_deployment.CacheControl.max_age(cdk.Duration.hours(1))],
            log_group=logs.LogGroup(
                self,
                "PicturesLogs",
                retention=logs.RetentionDays.ONE_WEEK,
                removal_policy=cdk.RemovalPolicy.DESTROY,
            ),
        )
        self._accept_what_the_copy_may_do(deployment)
        return deployment

    def grant_read(self, role: iam.IRole) -> None:
        """Allow reading the pictures and uploads, by key.

        The bucket's own `grant_read` would also allow listing it and reading its settings.
        """
        self._grant(role, "s3:GetObject", MEDIA)

    def grant_upload(self, role: iam.IRole, prefix: str = UPLOADS) -> None:
        """Allow writing objects whose keys begin with `prefix`: by default the uploads.

        The bucket's own `grant_put` would also allow tags, retention and legal holds.
        """
        self._grant(role, "s3:PutObject", prefix)

    def _grant(self, role: iam.IRole, action: str, prefix: str) -> None:
        keys = f"{prefix}*"
        iam.Grant.add_to_principal(grantee=role, actions=[action], resource_arns=[self.bucket.arn_for_objects(keys)])
        acknowledge(
            role,
            {
                wildcard(self.bucket, f"/{keys}"): f"Objects come and go, so their keys cannot be listed: {action} is "
                f"allowed for keys that begin with {prefix}, and for nothing else in the bucket."
            },
        )

    def _admit_cloudfront(self) -> None:
        """Let the distributions of this account read `media/`, and nobody else's.

        The grant that the CDK makes for a distribution names it, and would have to be added here when the distribution
        is made, in a later stack. The condition compares the account in the ARN of the distribution that asks.
        """
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AdmitCloudFrontOfThisAccount",
                principals=[iam.ServicePrincipal("cloudfront.amazonaws.com")],
                actions=["s3:GetObject"],
                resources=[self.bucket.arn_for_objects(f"{MEDIA}*")],
                conditions={
                    "ArnLike": {
                        "aws:SourceArn": cdk.Stack.of(self).format_arn(
                            service="cloudfront", region="", resource="distribution", resource_name="*"
                        )
                    }
                },
            )
        )

    def _accept_what_the_copy_may_do(self, deployment: s3_deployment.BucketDeployment) -> None:
        """The function that copies is the CDK's own, and so is its policy."""
        stack = cdk.Stack.of(self)
        qualifier = stack.synthesizer.bootstrap_qualifier
        reason = (
            "The CDK writes this policy for the function that copies files at deployment: it reads the bootstrap "
            "bucket, where the files wait, and writes this bucket, which it must also list to remove what is gone."
        )
        actions = ("s3:GetBucket*", "s3:GetObject*", "s3:List*", "s3:Abort*", "s3:DeleteObject*")
        findings = [f"AwsSolutions-IAM5[Action::{action}]" for action in actions]
        findings.append(wildcard(self.bucket, "/*"))
        findings.append(
            f"AwsSolutions-IAM5[Resource::arn:aws:s3:::cdk-{qualifier}-assets-{stack.account}-{stack.region}/*]"
        )
        acknowledge(deployment.handler_role, dict.fromkeys(findings, reason))
