"""Parameter groups take what PostgreSQL takes, and groups in use stay (resources/rds_groups.py)."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import Stack, StackError, ref, stack, typed
from tests.plugins.databases import db_instance, network, outputs
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def _group(family: str = "postgres16", **parameters: str) -> dict[str, object]:
    return typed("AWS::RDS::DBParameterGroup", Description="test", Family=family, Parameters=parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"work_memory": "4MB"}, "Could not find parameter with name: work_memory"),
        ({"log_statement": "everything"}, "Invalid parameter value: everything for: log_statement"),
        ({"listen_addresses": "*"}, "The parameter listen_addresses cannot be modified"),
        ({"rds.force_ssl": "yes"}, "allowed values are: 0,1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_postgresql_does_not_take_is_refused(cloud: Cloud, parameters: dict[str, str], sentence: str) -> None:
    made = Stack(cloud)
    with pytest.raises(StackError, match=sentence):
        made.create({"Group": _group(**parameters)})
    made.delete()


def test_a_group_lists_the_parameters_of_postgresql(cloud: Cloud) -> None:
    rds = cloud.client("rds")
    with stack(cloud) as made:
        made.create({"Group": _group(log_statement="ddl")})
        pages = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=made.physical_id("Group"))
        known = {entry["ParameterName"]: entry for page in pages for entry in page["Parameters"]}
        assert len(known) > 200
        assert (known["log_statement"]["ParameterValue"], known["log_statement"]["Source"]) == ("ddl", "user")
        assert known["max_connections"]["ApplyType"] == "static"
        assert known["rds.force_ssl"]["ParameterValue"] == "1"
        with pytest.raises(ClientError, match="cannot use immediate apply method for static parameter"):
            rds.modify_db_parameter_group(
                DBParameterGroupName=made.physical_id("Group"),
                Parameters=[{"ParameterName": "max_connections", "ParameterValue": "9", "ApplyMethod": "immediate"}],
            )


def test_groups_of_an_instance_stay(cloud: Cloud) -> None:
    rds = cloud.client("rds")
    with stack(cloud) as made:
        template = {**network(), "Group": _group(), "Db": db_instance(DBParameterGroupName=ref("Group"))}
        made.create(template, **outputs())
        with pytest.raises(ClientError, match="still members of this parameter group"):
            rds.delete_db_parameter_group(DBParameterGroupName=made.physical_id("Group"))
        with pytest.raises(ClientError, match="is still using it"):
            rds.delete_db_subnet_group(DBSubnetGroupName=made.physical_id("Subnets"))


def test_a_group_of_another_major_version_does_not_fit(cloud: Cloud) -> None:
    made = Stack(cloud)
    with pytest.raises(StackError, match="Please use a Parameter Group with DBParameterGroupFamily postgres16"):
        made.create({**network(), "Group": _group("postgres15"), "Db": db_instance(DBParameterGroupName=ref("Group"))})
    made.delete()
