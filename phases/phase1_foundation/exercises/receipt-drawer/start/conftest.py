"""So that plain `pytest` in this folder gives each test the template, too."""

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template
from exercise import Exercise


@pytest.fixture
def template() -> Template:
    return Template.from_stack(Exercise(cdk.App(), "Exercise"))
