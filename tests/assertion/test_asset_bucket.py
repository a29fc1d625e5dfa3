"""AssetBucket: private, versioned, emptied with the stack, and open to exactly what the shop and CloudFront need."""

from collections.abc import Callable

import pytest
from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Match, Template

from brew_constructs.asset_bucket import AssetBucket

BUCKET_ARN = {"Fn::GetAtt": [Match.string_like_regexp("^AssetBucket"), "Arn"]}


@pytest.fixture(scope="module")
def default(synthesize_alone: Callable[..., Template]) -> Template:
    def build(stack: Stack) -> None:
        assets = AssetBucket(stack, "AssetBucket")
        assets.add_pictures()
        reader = iam.Role(stack, "Reader", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        assets.grant_read(reader)
        writer = iam.Role(stack, "Writer", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        assets.grant_upload(writer)

    return synthesize_alone(build)


def test_it_is_private_encrypted_and_versioned(default: Template) -> None:
    default.has_resource_properties(
        "AWS::S3::Bucket",
        {
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "VersioningConfiguration": {"Status": "Enabled"},
            "BucketName": Match.absent(),
        },
    )


def test_it_forgets_old_versions_and_unfinished_uploads(default: Template) -> None:
    default.has_resource_properties(
        "AWS::S3::Bucket",
        {
            "LifecycleConfiguration": {
                "Rules": Match.array_with(
                    [
                        {
                            "Id": "ForgetOldVersions",
                            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                            "ExpiredObjectDeleteMarker": True,
                            "Status": "Enabled",
                        },
                        {
                            "Id": "DropUnfinishedUploads",
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                            "Status": "Enabled",
                        },
                    ]
                )
            }
        },
    )


def test_what_arrived_goes_after_a_day_and_what_the_shop_shows_stays(default: Template) -> None:
    [bucket] = default.find_resources("AWS::S3::Bucket").values()
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = [rule for rule in rules if "ExpirationInDays" in rule]
    assert expiring == [
        {
            "Id": "DropUploadsOnceLookedAt",
            "Status": "Enabled",
            "Prefix": "media/uploads/incoming/",
            "ExpirationInDays": 1,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        }
    ]


def test_it_refuses_plain_http(default: Template) -> None:
    default.has_resource_properties(
        "AWS::S3::BucketPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Effect": "Deny",
                                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                                "Action": "s3:*",
                            }
                        )
                    ]
                )
            }
        },
    )


def test_it_admits_cloudfront_distributions_of_this_account_to_the_media_alone(default: Template) -> None:
    default.has_resource_properties(
        "AWS::S3::BucketPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        {
                            "Sid": "AdmitCloudFrontOfThisAccount",
                            "Effect": "Allow",
                            "Principal": {"Service": "cloudfront.amazonaws.com"},
                            "Action": "s3:GetObject",
                            "Resource": {"Fn::Join": ["", [BUCKET_ARN, "/media/*"]]},
                            "Condition": {
                                "ArnLike": {"aws:SourceArn": "arn:aws:cloudfront::111122223333:distribution/*"}
                            },
                        }
                    ]
                )
            }
        },
    )


def test_it_tells_eventbridge_from_the_start(default: Template) -> None:
    default.has_resource_properties(
        "Custom::S3BucketNotifications",
        {
            "BucketName": {"Ref": Match.string_like_regexp("^AssetBucket")},
            "NotificationConfiguration": {"EventBridgeConfiguration": {}},
            "Managed": True,
        },
    )


def test_who_tells_the_bucket_about_eventbridge_may_do_that_and_nothing_else(default: Template) -> None:
    default.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "Roles": [{"Ref": Match.string_like_regexp("^BucketNotificationsHandler")}],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "s3:PutBucketNotification", "Resource": BUCKET_ARN}],
            },
        },
    )


def test_it_is_emptied_and_deleted_with_its_stack(default: Template) -> None:
    default.has_resource("AWS::S3::Bucket", {"DeletionPolicy": "Delete"})
    default.has_resource_properties(
        "Custom::S3AutoDeleteObjects", {"BucketName": {"Ref": Match.string_like_regexp("^AssetBucket")}}
    )


def test_who_empties_it_may_list_and_delete_its_objects_and_keep_others_from_adding_more(default: Template) -> None:
    default.has_resource_properties(
        "AWS::S3::BucketPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        {
                            "Effect": "Allow",
                            "Principal": {
                                "AWS": {"Fn::GetAtt": [Match.string_like_regexp("^CustomS3AutoDelete"), "Arn"]}
                            },
                            "Action": ["s3:DeleteObject*", "s3:GetBucket*", "s3:List*", "s3:PutBucketPolicy"],
                            "Resource": [BUCKET_ARN, {"Fn::Join": ["", [BUCKET_ARN, "/*"]]}],
                        }
                    ]
                )
            }
        },
    )


def test_browsers_may_upload_from_any_page_unless_told_otherwise(
    default: Template, synthesize_alone: Callable[..., Template]
) -> None:
    def cors(*origins: str) -> dict[str, object]:
        rule = {
            "AllowedMethods": ["GET", "PUT", "POST"],
            "AllowedOrigins": list(origins),
            "AllowedHeaders": ["*"],
            "ExposedHeaders": ["ETag"],
            "MaxAge": 3600,
        }
        return {"CorsConfiguration": {"CorsRules": [rule]}}

    default.has_resource_properties("AWS::S3::Bucket", cors("*"))
    narrow = synthesize_alone(lambda stack: AssetBucket(stack, "Assets", upload_origins=["https://shop.example"]))
    narrow.has_resource_properties("AWS::S3::Bucket", cors("https://shop.example"))


def test_the_pictures_go_under_media_menu_and_one_that_left_the_menu_leaves_it(default: Template) -> None:
    default.has_resource_properties(
        "Custom::CDKBucketDeployment",
        {
            "DestinationBucketKeyPrefix": "media/menu/",
            "Prune": True,
            "DestinationBucketName": {"Ref": Match.string_like_regexp("^AssetBucket")},
            "SystemMetadata": {"cache-control": "max-age=3600"},
        },
    )


@pytest.mark.parametrize(
    ("role", "action", "keys"), [("Reader", "s3:GetObject", "/media/*"), ("Writer", "s3:PutObject", "/media/uploads/*")]
)
def test_a_grant_is_one_action_below_one_prefix(default: Template, role: str, action: str, keys: str) -> None:
    default.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "Roles": [{"Ref": Match.string_like_regexp(f"^{role}")}],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": action, "Resource": {"Fn::Join": ["", [BUCKET_ARN, keys]]}}
                ],
            },
        },
    )
