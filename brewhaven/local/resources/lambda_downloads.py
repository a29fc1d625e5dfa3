"""Where `GetFunction` and `GetLayerVersion` say that the code is (brewhaven/local/downloads.py)."""

from __future__ import annotations

import json
from typing import Any

from brewhaven.local import downloads
from brewhaven.local.registry import correction


@correction
def code_can_be_fetched_from_where_it_is_said_to_be() -> None:
    """Both locations are signed and good for ten minutes; a layer's is signed anew each time somebody asks.

    https://docs.aws.amazon.com/lambda/latest/api/API_LayerVersionContentOutput.html
    """
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import lambda_svc

    def of_function(name: str) -> str:
        return downloads.signed(f"/_ministack/lambda-code/{get_account_id()}/{get_region()}/{name}")

    def of_layer(name: str, version: int) -> str:
        path = f"/_ministack/lambda-layers/{get_account_id()}/{get_region()}/{name}/{version}/content"
        return downloads.signed(path)

    def asked_anew(original: Any) -> Any:
        def get(*arguments: Any) -> Any:
            status, headers, body = original(*arguments)
            found = json.loads(body)
            if status != 200:
                return status, headers, body
            *_, name, version = found["LayerVersionArn"].split(":")
            found["Content"]["Location"] = of_layer(name, int(version))
            return status, headers, json.dumps(found).encode()

        return get

    lambda_svc._presigned_code_url = of_function
    lambda_svc._layer_content_url = of_layer
    lambda_svc._get_layer_version_by_arn = asked_anew(lambda_svc._get_layer_version_by_arn)
    lambda_svc._get_layer_version = asked_anew(lambda_svc._get_layer_version)
