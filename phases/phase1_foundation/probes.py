"""What several checks and faults of phase 1 look at in the same way."""

from __future__ import annotations

from typing import Any

from brewhaven.course.cloud import Answer, Deployment, ask

WITHOUT_FARGATE = "storefront=ec2"
"""The switch of a student without an image builder: the stack then has no tasks and no load balancer."""


def shop_url(cloud: Deployment) -> str:
    """Where guests find the shop: the load balancer, or the instance where there is none."""
    return (cloud.outputs.get("ShopUrl") or cloud.outputs["InstanceUrl"]).rstrip("/")


def service_of(cloud: Deployment) -> dict[str, Any]:
    """The shop's service as ECS describes it."""
    found: dict[str, Any] = cloud.client("ecs").describe_services(
        cluster=cloud.outputs["StorefrontClusterName"], services=[cloud.outputs["StorefrontServiceName"]]
    )["services"][0]
    return found


def incoming(cloud: Deployment, group: str) -> list[dict[str, Any]]:
    """The rules of a security group for what comes in."""
    rules = cloud.client("ec2").describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    return [rule for rule in rules["SecurityGroupRules"] if not rule["IsEgress"]]


def upload(cloud: Deployment, key: str, *sizes: int, most: int = 1000) -> list[int]:
    """Sign a form for an upload of at most `most` bytes, send it with files of these sizes, and remove what arrived.

    Returns:
        The status of each answer.
    """
    client, bucket = cloud.client("s3"), cloud.outputs["AssetBucketName"]
    form = client.generate_presigned_post(bucket, key, Conditions=[["content-length-range", 1, most]], ExpiresIn=60)
    try:
        return [_post(form["url"], form["fields"], size) for size in sizes]
    finally:
        for version in client.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", []):
            client.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])


def _post(url: str, fields: dict[str, str], size: int) -> int:
    """Send a form with a file of so many bytes, as a browser does."""
    edge = "brewhaven-check"
    parts = [f'--{edge}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    parts.append(f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="check"\r\n\r\n')
    body = "".join(parts).encode() + b"x" * size + f"\r\n--{edge}--\r\n".encode()
    return ask(url, method="POST", body=body, headers={"Content-Type": f"multipart/form-data; boundary={edge}"}).status


def fill_cart(url: str) -> Answer:
    """Put an espresso into the cart of a new guest, as the page does; the cart is forgotten with its session.

    Raises:
        OSError: Nobody answered.
    """
    session = ask(f"{url}/api/session")
    if session.status != 200:
        return session
    headers = {name.lower(): value for name, value in session.headers.items()}
    cookie = headers["set-cookie"].partition(";")[0]
    lines = [{"product_id": "espresso", "size": "single"}]
    return ask(
        f"{url}/api/cart",
        method="PUT",
        body={"lines": lines},
        headers={"Cookie": cookie, "X-CSRF-Token": session.json()["csrf_token"]},
        timeout=40,
    )
