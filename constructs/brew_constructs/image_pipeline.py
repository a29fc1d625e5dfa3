"""ImagePipeline: every new picture is looked at once more, and what is bad is put aside."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from brew_constructs.acknowledge import acknowledge, wildcard
from brew_constructs.asset_bucket import CHECKED
from brew_constructs.catalog_table import BY_CATEGORY
from brew_constructs.function_variables import function_variables
from brew_constructs.python_function import python_function
from brew_constructs.python_layer import PythonLayer
from brew_constructs.sources import PICTURE_LIBRARIES
from brew_constructs.staff_alarms import StaffAlarms
from brew_constructs.worked_queue import WorkedQueue

THUMBNAILS = "media/thumbnails/"
QUARANTINE = "quarantine/"
AT_MOST = 2
"""Functions at a time. Rekognition takes five pictures a second in most regions, and a shop uploads a few a week."""


class ImagePipeline(Construct):
    """What happens to a picture after the shop has taken it.

    ```
    S3: new object under media/uploads/checked/ -> EventBridge rule -> queue -> picture_check -> accepted or rejected
    ```

    The bucket tells EventBridge of every new object, since it was made; a rule chooses those that are its business. So
    the bucket knows nothing of what listens, and a further listener is a further rule.

    | Outcome  | What picture_check leaves behind                                                                    |
    |----------|-----------------------------------------------------------------------------------------------------|
    | accepted | what Rekognition sees in it, in an item of its own, and a thumbnail under `media/thumbnails/`       |
    | rejected | the picture in `quarantine/`, the item with the reasons, no product that shows it, the staff told   |

    It is rejected when Rekognition is sure of something that a coffee shop does not show, when it is no picture after
    all, and when it is larger than 5 MB; then it is not even fetched. `quarantine/` is outside of `media/`, so neither
    the shop nor a content network can show what is in it.

    The function writes into other folders than the one that it listens to. A function that writes where it listens
    starts itself, again and again, and is a well-known way to a large bill.

    Pillow makes the thumbnails. It has machine code, so it comes in a layer of its own, built for the architecture of
    the function; the layer with the libraries of all functions stays plain Python.

    The function is outside of any network: it needs no private address, so it reaches AWS without an endpoint.

    Rekognition costs about a tenth of a cent for each of two questions about a picture.

    :param bucket: the shop's pictures, which tells EventBridge of new objects.
    :param table: the shop's table, where a picture's item goes and the products are.
    :param libraries: the layer with Powertools.
    :param alarms: whose topic tells the staff of a rejected picture, and of messages that failed.
    :param metrics_namespace: under which name the function's own metrics are in CloudWatch.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
    https://docs.aws.amazon.com/rekognition/latest/dg/moderation.html
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        bucket: s3.IBucket,
        table: dynamodb.ITableV2,
        libraries: PythonLayer,
        alarms: StaffAlarms,
        metrics_namespace: str,
    ) -> None:
        super().__init__(scope, id_)
        self._metrics_namespace = metrics_namespace
        timeout = cdk.Duration.minutes(1)
        self.uploads = WorkedQueue(self, "Uploads", of="New pictures", function_timeout=timeout, alarms=alarms)
        self.pillow = PythonLayer(
            self,
            "Pillow",
            libraries=PICTURE_LIBRARIES,
            certificates=None,
            description="Pillow, for Brew Haven's functions that work with pictures",
        )
        self.check = self._check(bucket, table, libraries, alarms, timeout)
        self.uploads.feed(self.check, at_most=AT_MOST)
        self.rule = self._listen(bucket)

    def metric(self, name: str) -> cloudwatch.Metric:
        """A metric that the function writes: PicturesAccepted, PicturesRejected, PicturesKnown."""
        return cloudwatch.Metric(
            namespace=self._metrics_namespace,
            metric_name=name,
            dimensions_map={"service": "picture_check"},
            period=cdk.Duration.minutes(1),
            statistic="Sum",
        )

    def _listen(self, bucket: s3.IBucket) -> events.Rule:
        """A rule on the account's own bus. What it cannot hand over within a day goes to the queue's dead letters."""
        return events.Rule(
            self,
            "NewPictures",
            description="New pictures of the menu, to be looked at",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [bucket.bucket_name]}, "object": {"key": [{"prefix": CHECKED}]}},
            ),
            targets=[targets.SqsQueue(self.uploads.queue, dead_letter_queue=self.uploads.dead_letters)],
        )

    def _check(
        self,
        bucket: s3.IBucket,
        table: dynamodb.ITableV2,
        libraries: PythonLayer,
        alarms: StaffAlarms,
        timeout: cdk.Duration,
    ) -> lambda_.Function:
        scope = Construct(self, "Check")
        settings = python_function(scope, "picture_check")
        settings["timeout"] = timeout
        # A picture of 6000 by 6000 pixels is 108 MB when it is unfolded, and its smaller copies come on top.
        settings["memory_size"] = 1024
        check = lambda_.Function(
            scope,
            "Function",
            **settings,
            layers=[libraries, self.pillow],
            description="Looks at each new picture of the menu",
            environment={
                **function_variables("picture_check", self._metrics_namespace),
                "PICTURE_BUCKET": bucket.bucket_name,
                "CATALOG_TABLE": table.table_name,
                "STAFF_TOPIC_ARN": alarms.topic.topic_arn,
                "PICTURES_PREFIX": CHECKED,
                "THUMBNAILS_PREFIX": THUMBNAILS,
                "QUARANTINE_PREFIX": QUARANTINE,
            },
        )
        self._grant_pictures(settings["role"], bucket)
        self._grant_items(settings["role"], table)
        iam.Grant.add_to_principal(grantee=check, actions=["sns:Publish"], resource_arns=[alarms.topic.topic_arn])
        self._grant_rekognition(settings["role"])
        return check

    def _grant_pictures(self, role: iam.Role, bucket: s3.IBucket) -> None:
        """Allow each action in its folder alone; the bucket's own grants would allow listing and tags as well."""
        for actions, prefix in (
            (["s3:GetObject", "s3:DeleteObject"], CHECKED),
            (["s3:PutObject"], THUMBNAILS),
            (["s3:PutObject"], QUARANTINE),
        ):
            keys = f"{prefix}*"
            iam.Grant.add_to_principal(grantee=role, actions=actions, resource_arns=[bucket.arn_for_objects(keys)])
            acknowledge(
                role,
                {
                    wildcard(bucket, f"/{keys}", seen_from=self): "Pictures come and go, so their keys cannot be "
                    f"listed: {' and '.join(actions)} end at keys that begin with {prefix}."
                },
            )

    def _grant_items(self, role: iam.Role, table: dynamodb.ITableV2) -> None:
        """Allow the pictures' own items, and of the products what takes a picture off.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
        """
        index = f"{table.table_arn}/index/{BY_CATEGORY.name}"
        for actions, arn, keys in (
            (["dynamodb:GetItem", "dynamodb:PutItem"], table.table_arn, ["PICTURE#*"]),
            (["dynamodb:UpdateItem"], table.table_arn, ["PICTURE#*", "PRODUCT#*"]),
            (["dynamodb:Query"], index, ["MENU", "RETIRED"]),
        ):
            role.add_to_policy(
                iam.PolicyStatement(
                    actions=actions,
                    resources=[arn],
                    conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}},
                )
            )

    def _grant_rekognition(self, role: iam.Role) -> None:
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["rekognition:DetectLabels", "rekognition:DetectModerationLabels"], resources=["*"]
            )
        )
        acknowledge(
            role,
            {
                "AwsSolutions-IAM5[Resource::*]": "To ask Rekognition about a picture that is sent along is an action "
                "that knows no resource. What the function may read and write is named beside it, folder by folder.",
            },
        )
