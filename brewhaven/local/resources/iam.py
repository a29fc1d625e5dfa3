"""IAM: nobody is an administrator by accident."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction, replace


@correction
def nobody_is_root() -> None:
    """On AWS every key must exist and every signature is checked; the emulator takes ``test`` and 12 digits as root.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
    """
    from ministack.core import iam_evaluator
    from ministack.services import sts

    def never_root(_original: Any) -> Any:
        return lambda _access_key_id: False

    replace(iam_evaluator, "is_root_access_key", never_root)
    replace(sts, "is_root_access_key", never_root)
