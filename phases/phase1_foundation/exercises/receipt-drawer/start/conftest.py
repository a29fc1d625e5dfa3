"""So that plain `pytest` in this folder gives each test the template, too."""

import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

sys.path.insert(0, str(Path(__file__).parent))
from exercise import Exercise


@pytest.fixture
def template() -> Template:
    return Template.from_stack(Exercise(cdk.App(), "Exercise"))
