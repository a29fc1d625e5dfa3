"""Cognito: attributes of user pools that templates of other services use."""

from __future__ import annotations

from brewhaven.local.emulator import add_attributes
from brewhaven.local.registry import correction


@correction
def user_pools_answer_their_issuer() -> None:
    """``ProviderURL`` is the issuer of the pool's tokens, by which authorizers trust them.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cognito-userpool.html
    """

    def attributes(pool_id: str, _properties: object) -> dict[str, str]:
        region = pool_id.partition("_")[0]
        return {"ProviderURL": f"https://cognito-idp.{region}.amazonaws.com/{pool_id}", "UserPoolId": pool_id}

    add_attributes("AWS::Cognito::UserPool", attributes)
