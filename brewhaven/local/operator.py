"""The one identity a student begins with: an IAM user with administrator rights and a random key of this machine.

AWS advises against the root user's keys, and a root user may not assume the CDK's bootstrap roles. So the local cloud
has no root key at all: its operator is an ordinary IAM user whose every request is signature-checked and authorized.
"""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import asdict, dataclass
from pathlib import Path

USER_NAME = "student"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
_ALPHABET = string.ascii_uppercase + "234567"


@dataclass(frozen=True)
class OperatorKey:
    """An access key: id and secret."""

    access_key_id: str
    secret_access_key: str


def load_or_create(path: Path) -> OperatorKey:
    """Return the operator's key kept in ``path``, making a random one on first use (file mode 600)."""
    if path.exists():
        return OperatorKey(**json.loads(path.read_text()))
    key = OperatorKey(
        access_key_id="AKIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16)),
        secret_access_key=secrets.token_urlsafe(30),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(key)))
    return key


def install(key: OperatorKey, account_id: str, region: str) -> None:
    """Make the operator exist in the running cloud; called at start and after each reset."""
    from ministack.core.responses import request_scope
    from ministack.services import iam

    with request_scope(account_id, region):
        if USER_NAME not in iam._users:
            iam._create_user({"UserName": [USER_NAME]})
        iam._attach_user_policy({"UserName": [USER_NAME], "PolicyArn": [ADMINISTRATOR]})
        iam._access_keys[key.access_key_id] = {
            "UserName": USER_NAME,
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret_access_key,
            "Status": "Active",
            "CreateDate": iam._now(),
        }
