"""Tests that look thorough."""

from aws_cdk.assertions import Template


def test_the_bucket_and_its_policy_are_there(template: Template) -> None:
    template.resource_count_is("AWS::S3::Bucket", 1)
    template.resource_count_is("AWS::S3::BucketPolicy", 1)


def test_the_till_has_a_policy(template: Template) -> None:
    assert template.find_resources("AWS::IAM::Policy")
