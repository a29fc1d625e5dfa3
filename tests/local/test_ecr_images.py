"""A missing image is an error in ECR (resources/ecr_images.py)."""

from __future__ import annotations

import pytest

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def test_asking_for_an_image_that_is_not_there_is_an_error(cloud: Cloud) -> None:
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName="cups")
    assert ecr.describe_images(repositoryName="cups")["imageDetails"] == []
    with pytest.raises(ecr.exceptions.ImageNotFoundException, match="imageTag:'none'"):
        ecr.describe_images(repositoryName="cups", imageIds=[{"imageTag": "none"}])
