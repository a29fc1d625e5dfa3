"""Checks of the sample phase."""

from brewhaven.course.checks import CheckList, Failure
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template

CHECKS = CheckList()

one_bucket = CHECKS.check("one-bucket", lesson="9.1", objective="count-cups", proves="There is a bucket for the cups")


@one_bucket.on_template
def _(template: Template) -> str:
    buckets = template.resources("AWS::S3::Bucket")
    if len(buckets) != 1:
        raise Failure(f"there are {len(buckets)} buckets", where="the stack", next_step="keep one")
    return buckets[0].logical_id


@one_bucket.on_cloud
def _(cloud: Deployment) -> str:
    return cloud.outputs["Bucket"]
