"""ECR: asking for an image that is not there is an error; the CDK CLI decides by it whether there is one to build."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction, replace


@correction
def a_missing_image_is_an_error() -> None:
    """On AWS DescribeImages for an image id that does not exist answers ImageNotFoundException, not an empty list.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    """
    from ministack.core.responses import error_response_json
    from ministack.services import ecr

    def strict(original: Any) -> Any:
        def describe(data: dict[str, Any]) -> Any:
            name = data.get("repositoryName", "")
            if name in ecr._repositories:
                for image_id in data.get("imageIds") or []:
                    if not ecr._find_image(name, image_id):
                        wanted = ", ".join(f"{key}:'{value}'" for key, value in sorted(image_id.items()))
                        return error_response_json(
                            "ImageNotFoundException",
                            f"The image with imageId {{{wanted}}} does not exist within the repository with name "
                            f"'{name}' in the registry with id '{ecr._registry_id()}'",
                            400,
                        )
            return original(data)

        return describe

    replace(ecr, "_describe_images", strict)
