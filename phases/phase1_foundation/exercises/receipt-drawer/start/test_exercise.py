"""Tests of the drawer.  Each gets the template of your stack."""

from aws_cdk.assertions import Template


def test_there_is_a_bucket(template: Template) -> None:
    template.resource_count_is("AWS::S3::Bucket", 1)
