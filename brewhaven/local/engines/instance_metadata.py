"""The instance metadata service, version 2: a token first, then what the instance may know, its credentials included.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from brewhaven.local.engines.authorization import Credentials, RoleSession

EC2 = "ec2.amazonaws.com"
_TTL = "x-aws-ec2-metadata-token-ttl-seconds"
_TOKEN = "x-aws-ec2-metadata-token"  # noqa: S105  (the name of a header)
_LONGEST_TTL = 21600

Answer = tuple[int, str]


class InstanceMetadata:
    """What one instance's service answers."""

    def __init__(self, record: dict[str, Any], account: str, region: str) -> None:
        self._record = record
        self._account = account
        self._region = region
        self._tokens: dict[str, float] = {}
        self._credentials: Credentials | None = None

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        """Answer one request; ``path`` begins with ``/latest``."""
        options = self._record.get("MetadataOptions") or {}
        if options.get("HttpEndpoint") == "disabled":
            return 403, "Forbidden"
        if path == "/latest/api/token":
            return self._issue(headers) if method == "PUT" else (405, "Method Not Allowed")
        token = headers.get(_TOKEN)
        if token is None and options.get("HttpTokens", "required") == "required":
            return 401, "Unauthorized"
        if token is not None and self._tokens.get(token, 0) < time.time():
            return 401, "Unauthorized"
        found = self._data().get(path.rstrip("/")) if path.startswith("/latest/") else None
        return (404, "Not Found") if found is None else (200, found)

    def _issue(self, headers: dict[str, str]) -> Answer:
        text = headers.get(_TTL, "")
        if not text.isdecimal() or not 1 <= int(text) <= _LONGEST_TTL:
            return 400, "Bad Request"
        token = secrets.token_urlsafe(40)
        self._tokens = {t: until for t, until in self._tokens.items() if until > time.time()}
        self._tokens[token] = time.time() + int(text)
        return 200, token

    def _role(self) -> str | None:
        from ministack.services import iam

        arn = (self._record.get("IamInstanceProfile") or {}).get("Arn", "")
        profile = iam._instance_profiles.get_scoped(self._account, None, arn.rsplit("/", 1)[-1])
        roles = (profile or {}).get("Roles") or []
        if not roles:
            return None
        first = roles[0]
        name = first if isinstance(first, str) else first.get("RoleName", "")
        role = iam._roles.get_scoped(self._account, None, name.rsplit("/", 1)[-1])
        return str(role["Arn"]) if role else None

    def _data(self) -> dict[str, str]:
        record, zone = self._record, self._record["Placement"]["AvailabilityZone"]
        plain = {
            "instance-id": record["InstanceId"],
            "ami-id": record["ImageId"],
            "instance-type": record["InstanceType"],
            "local-ipv4": record["PrivateIpAddress"],
            "local-hostname": record["PrivateDnsName"],
            "hostname": record["PrivateDnsName"],
            "public-ipv4": record.get("PublicIpAddress", ""),
            "public-hostname": record.get("PublicDnsName", ""),
            "placement/availability-zone": zone,
            "placement/region": self._region,
            "security-groups": "\n".join(group["GroupName"] for group in record["SecurityGroups"]),
        }
        answers = {f"/latest/meta-data/{name}": value for name, value in plain.items() if value}
        answers["/latest/dynamic/instance-identity/document"] = json.dumps(
            {
                "accountId": self._account,
                "region": self._region,
                "availabilityZone": zone,
                "instanceId": record["InstanceId"],
                "instanceType": record["InstanceType"],
                "imageId": record["ImageId"],
                "privateIp": record["PrivateIpAddress"],
            }
        )
        role = self._role()
        if role is not None:
            credentials = self._of_role(role)
            answers["/latest/meta-data/iam/security-credentials"] = role.rsplit("/", 1)[-1]
            if credentials is not None:
                answers[f"/latest/meta-data/iam/security-credentials/{role.rsplit('/', 1)[-1]}"] = credentials
        return answers

    def _of_role(self, role: str) -> str | None:
        if self._credentials is None or self._credentials.session.role_arn != role:
            self._credentials = Credentials(RoleSession(role, self._record["InstanceId"], EC2))
        if self._credentials.session.refusal():
            return None
        keys = {name: value for name, value in self._credentials.current().items() if name != "RoleArn"}
        return json.dumps({"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": keys["Expiration"], **keys})
