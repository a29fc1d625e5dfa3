"""Tests of the drawer.  Each gets the template of your stack."""

from aws_cdk.assertions import Match, Template


def test_the_drawer_is_private(template: Template) -> None:
    names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    everything = dict.fromkeys(names, True)
    template.has_resource_properties("AWS::S3::Bucket", {"PublicAccessBlockConfiguration": everything})


def test_the_drawer_is_encrypted(template: Template) -> None:
    rule = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    template.has_resource_properties(
        "AWS::S3::Bucket", {"BucketEncryption": {"ServerSideEncryptionConfiguration": [rule]}}
    )


def test_plain_http_is_refused(template: Template) -> None:
    deny = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    template.has_resource_properties(
        "AWS::S3::BucketPolicy", {"PolicyDocument": {"Statement": Match.array_with([Match.object_like(deny)])}}
    )


def test_the_till_files_receipts_and_no_more(template: Template) -> None:
    (policy,) = template.find_resources("AWS::IAM::Policy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "s3:PutObject"
    assert statement["Resource"]["Fn::Join"][1][-1] == "/receipts/*"
