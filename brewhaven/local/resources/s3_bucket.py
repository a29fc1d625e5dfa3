"""``AWS::S3::Bucket``: the properties that the emulator drops, and no delete of a bucket that holds objects."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from brewhaven.local.emulator import add_attributes, handler_error, succeed, truth, wrap_handler
from brewhaven.local.registry import Created, Properties, correction

Record = dict[str, Any]


def _xml(name: str, content: Any) -> ElementTree.Element:
    """An S3 XML element: dictionaries become children, lists repeat the child."""
    element = ElementTree.Element(name)
    if not isinstance(content, dict):
        element.text = str(content).lower() if isinstance(content, bool) else str(content)
        return element
    for key, value in content.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                element.append(_xml(key, item))
    return element


def _body(name: str, content: Record) -> bytes:
    from ministack.services import s3

    root = _xml(name, content)
    root.set("xmlns", s3.S3_NS)
    return ElementTree.tostring(root)


def _whole_numbers(source: Record, **names: str) -> Record:
    return {target: int(source[name]) for target, name in names.items() if source.get(name) is not None}


def _filter(rule: Record) -> Record:
    conditions: Record = {"Prefix": rule["Prefix"]} if rule.get("Prefix") else {}
    conditions.update(_whole_numbers(rule, ObjectSizeGreaterThan="ObjectSizeGreaterThan"))
    conditions.update(_whole_numbers(rule, ObjectSizeLessThan="ObjectSizeLessThan"))
    tags = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in rule.get("TagFilters") or []]
    if len(conditions) + len(tags) > 1:
        return {"And": {**conditions, "Tags": tags}}
    return {"Tag": tags[0]} if tags else conditions or {"Prefix": ""}


def lifecycle_rule(rule: Record) -> Record:
    """A template's lifecycle rule as the API keeps it.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
    """
    wanted: Record = {"Status": rule.get("Status", "Enabled"), "Filter": _filter(rule)}
    if rule.get("Id"):
        wanted["ID"] = rule["Id"]
    expiration = _whole_numbers(rule, Days="ExpirationInDays")
    if rule.get("ExpirationDate"):
        expiration["Date"] = rule["ExpirationDate"]
    if rule.get("ExpiredObjectDeleteMarker") is not None:
        expiration["ExpiredObjectDeleteMarker"] = truth(rule["ExpiredObjectDeleteMarker"])
    noncurrent = _whole_numbers(rule, NoncurrentDays="NoncurrentVersionExpirationInDays") | _whole_numbers(
        rule.get("NoncurrentVersionExpiration") or {},
        NoncurrentDays="NoncurrentDays",
        NewerNoncurrentVersions="NewerNoncurrentVersions",
    )
    transitions = [
        {"StorageClass": item["StorageClass"], **_whole_numbers(item, Days="TransitionInDays")}
        for item in rule.get("Transitions") or []
    ]
    later = [
        {
            "StorageClass": item["StorageClass"],
            **_whole_numbers(
                item, NoncurrentDays="TransitionInDays", NewerNoncurrentVersions="NewerNoncurrentVersions"
            ),
        }
        for item in rule.get("NoncurrentVersionTransitions") or []
    ]
    abort = _whole_numbers(rule.get("AbortIncompleteMultipartUpload") or {}, DaysAfterInitiation="DaysAfterInitiation")
    optional = {
        "Expiration": expiration,
        "NoncurrentVersionExpiration": noncurrent,
        "Transitions": transitions,
        "NoncurrentVersionTransitions": later,
        "AbortIncompleteMultipartUpload": abort,
    }
    return {**wanted, **{name: value for name, value in optional.items() if value}}


def _apply(name: str, old: Properties, new: Properties) -> None:
    from ministack.services import s3

    tags = {tag["Key"]: tag["Value"] for tag in new.get("Tags") or []}
    stale = {tag["Key"] for tag in old.get("Tags") or []}
    kept = {key: value for key, value in (s3._bucket_tags.get(name) or {}).items() if key not in stale}
    if kept or tags:
        s3._bucket_tags[name] = {**kept, **tags}
    else:
        s3._bucket_tags.pop(name, None)

    if (new.get("VersioningConfiguration") or old.get("VersioningConfiguration")) is not None:
        status = (new.get("VersioningConfiguration") or {"Status": "Suspended"})["Status"]
        if status == "Enabled" or s3._bucket_versioning.get(name):
            s3._bucket_versioning[name] = status

    rules = [lifecycle_rule(rule) for rule in (new.get("LifecycleConfiguration") or {}).get("Rules", [])]
    if rules:
        refused = s3._lifecycle_rules_error(rules)
        if refused:
            succeed("S3", refused)
        s3._bucket_lifecycle[name] = rules
    elif old.get("LifecycleConfiguration"):
        s3._bucket_lifecycle.pop(name, None)

    encryption = (new.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration")
    if encryption:
        content = [
            {
                "ApplyServerSideEncryptionByDefault": rule.get("ServerSideEncryptionByDefault"),
                "BucketKeyEnabled": truth(rule.get("BucketKeyEnabled")),
            }
            for rule in encryption
        ]
        body = _body("ServerSideEncryptionConfiguration", {"Rule": content})
        succeed("S3", s3._put_bucket_encryption(name, body))
    elif old.get("BucketEncryption"):
        s3._bucket_encryption.pop(name, None)

    ownership = (new.get("OwnershipControls") or {}).get("Rules")
    if ownership:
        body = _body("OwnershipControls", {"Rule": ownership})
        succeed("S3", s3._put_bucket_ownership_controls(name, body))

    logging = new.get("LoggingConfiguration") or {}
    if logging.get("DestinationBucketName"):
        target = {"TargetBucket": logging["DestinationBucketName"], "TargetPrefix": logging.get("LogFilePrefix", "")}
        succeed("S3", s3._put_bucket_logging(name, _body("BucketLoggingStatus", {"LoggingEnabled": target})))
    elif old.get("LoggingConfiguration"):
        s3._bucket_logging_config.pop(name, None)


@correction
def bucket_properties_are_kept() -> None:
    """Tags, lifecycle, encryption, ownership, logging and suspended versioning reach the bucket.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-s3-bucket.html
    """
    from ministack.services.cloudformation import provisioners

    def create(original: Any) -> Any:
        def handler(logical_id: str, properties: Properties, stack_name: str) -> Created:
            made: Created = original(logical_id, properties, stack_name)
            _apply(made[0], {}, properties)
            return made

        return handler

    def update(original: Any) -> Any:
        def handler(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Created:
            changed: Created = original(physical_id, old, new, *rest)
            _apply(changed[0], old if changed[0] == physical_id else {}, new)
            return changed

        return handler

    wrap_handler("AWS::S3::Bucket", "create", create)
    wrap_handler("AWS::S3::Bucket", "update", update)
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")
    add_attributes("AWS::S3::Bucket", lambda name, _: {"DualStackDomainName": f"{name}.s3.dualstack.amazonaws.com"})


@correction
def buckets_with_objects_stay() -> None:
    """CloudFormation never deletes a bucket that holds objects or versions: the delete fails with BucketNotEmpty.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
    """
    from ministack.services import s3

    def build(_original: Any) -> Any:
        def delete(physical_id: str, properties: Properties) -> None:
            if physical_id not in s3._buckets:
                return
            if s3._bucket_has_versions(physical_id):
                sentence = "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
                raise handler_error(sentence, "S3", 409)
            succeed("S3", s3._delete_bucket(physical_id))

        return delete

    wrap_handler("AWS::S3::Bucket", "delete", build)
