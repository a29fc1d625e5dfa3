"""Checks of lesson 2.1: the database, its tables, its secret, and the ways to it."""

from __future__ import annotations

import json
import re
import socket
import struct
from typing import Any

from brewhaven.course.checks import CheckList, expect, listed, statements
from brewhaven.course.cloud import Deployment
from brewhaven.course.paths import every_path
from brewhaven.course.template import Resource, Template
from brewhaven.local.settings import REPOSITORY
from phases.phase1_foundation.probes import incoming
from phases.phase2_orders.probes import (
    CONSTRUCTS,
    addresses_let_in,
    call_schema,
    described_tables,
    shop_config,
)

CHECKS = CheckList()

DATABASE_CODE = f"{CONSTRUCTS}/order_database.py"
FUNCTIONS_CODE = f"{CONSTRUCTS}/private_functions.py"
MIGRATIONS = REPOSITORY / "lambda_src/order_schema/migrations"
POSTGRES = "5432"
FUNCTION = "AWS::Lambda::Function"
GROUP = "AWS::EC2::SecurityGroup"
ENDPOINT = "AWS::EC2::VPCEndpoint"


def database(template: Template) -> Resource:
    """The orders database in the template; without one the lookup fails."""
    return template.resources("AWS::RDS::DBInstance", of="OrderDatabaseInstance")[0]


def instance_of(cloud: Deployment) -> dict[str, Any]:
    """The orders database as RDS describes it."""
    found: dict[str, Any] = cloud.client("rds").describe_db_instances(
        DBInstanceIdentifier=cloud.outputs["DatabaseInstanceId"]
    )["DBInstances"][0]
    return found


def inline_addresses(group: Resource) -> list[str]:
    """The address ranges that a security group itself lets in."""
    rules = group.properties.get("SecurityGroupIngress", [])
    return [str(rule.get("CidrIp") or rule.get("CidrIpv6")) for rule in rules if "SourceSecurityGroupId" not in rule]


private = CHECKS.check(
    "database-private",
    lesson="2.1",
    objective="private-paths",
    proves="Nobody reaches the database but named groups inside the network, on its port alone",
)


@private.on_template
def _(template: Template) -> str:
    instance = database(template).properties
    subnets = template.resources("AWS::RDS::DBSubnetGroup", of="OrderDatabase")[0].properties["SubnetIds"]
    outside = [subnet for subnet in subnets if "IsolatedSubnet" not in json.dumps(subnet)]
    expect(
        len(subnets) >= 2 and not outside and instance.get("PubliclyAccessible") is False,
        f"of the database's {len(subnets)} subnets {len(outside)} are not isolated, or it has a public address",
        where=f"vpc_subnets and publicly_accessible in {DATABASE_CODE}",
        next_step="put it into the isolated subnets of two zones, without a public address",
    )
    group = template.resources(GROUP, of="OrderDatabaseSecurityGroup")[0]
    rules = [
        rule.properties
        for rule in template.resources("AWS::EC2::SecurityGroupIngress")
        if template.mentions(group.logical_id, rule.properties["GroupId"])
    ]
    _only_groups(
        inline_addresses(group) + [str(rule.get("CidrIp")) for rule in rules if "SourceSecurityGroupId" not in rule],
        [f"{rule['FromPort']}-{rule['ToPort']}" for rule in rules],
        POSTGRES,
    )
    return f"{len(subnets)} isolated subnets, {len(rules)} groups"


@private.on_cloud
def _(cloud: Deployment) -> str:
    instance = instance_of(cloud)
    expect(
        not instance["PubliclyAccessible"],
        f"the database {instance['DBInstanceIdentifier']} has a public address",
        where="RDS console: the database, Connectivity & security",
        next_step="`aws rds modify-db-instance --no-publicly-accessible --apply-immediately`",
    )
    subnets = {subnet["SubnetIdentifier"] for subnet in instance["DBSubnetGroup"]["Subnets"]}
    tables = cloud.client("ec2").describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": sorted(subnets)}]
    )["RouteTables"]
    ways_out = [
        f"{table['RouteTableId']} to {route.get('GatewayId') or route.get('NatGatewayId')}"
        for table in tables
        for route in table["Routes"]
        if route.get("DestinationCidrBlock") == "0.0.0.0/0"
    ]
    expect(
        tables and not ways_out,
        f"the database's subnets have a way to the internet: {', '.join(ways_out) or 'their routes are unknown'}",
        where="VPC console: Route tables",
        next_step="delete that route: `aws ec2 delete-route`",
    )
    rules = [rule for group in instance["VpcSecurityGroups"] for rule in incoming(cloud, group["VpcSecurityGroupId"])]
    _only_groups(addresses_let_in(rules), [f"{rule['FromPort']}-{rule['ToPort']}" for rule in rules], POSTGRES)
    return f"{len(subnets)} isolated subnets, {len(rules)} groups"


def _only_groups(ranges: list[str], ports: list[str], port: str) -> None:
    expect(
        not ranges,
        f"the database's security group lets in {', '.join(ranges)}: whoever gets an address there gets to the door",
        where=f"`admit` in {DATABASE_CODE}, and EC2 console: Security groups, the database's, Inbound rules",
        next_step="revoke that rule, and let in the security group of whoever needs the database",
    )
    other = [found for found in ports if found != f"{port}-{port}"]
    expect(
        ports and not other,
        f"the database's security group opens the ports {', '.join(other) or 'of nobody'}, and must open {port} alone",
        where=f"`admit` in {DATABASE_CODE}, and EC2 console: Security groups, the database's, Inbound rules",
        next_step=f"open {port} to the shop's groups and to that of the functions",
    )


paths = CHECKS.check(
    "paths-complete",
    lesson="2.1",
    objective="private-paths",
    proves="Every function, task and server reaches each AWS service, database and cache that it calls",
)
paths.on_template(every_path)


guarded = CHECKS.check(
    "endpoints-guarded",
    lesson="2.1",
    objective="private-paths",
    proves="The private doors to AWS services answer by the services' own names, to named groups of this account alone",
)


@guarded.on_template
def _(template: Template) -> str:
    doors = [door for door in template.resources(ENDPOINT) if door.properties.get("VpcEndpointType") == "Interface"]
    named = [str(door.properties["ServiceName"]).rpartition(".")[2] for door in doors]
    wanted = ["secretsmanager", *(["sns"] if template.resources("AWS::SNS::Topic", of="OrderPipeline") else [])]
    _doors(sorted(set(wanted) - set(named)), [d.logical_id for d in doors if not d.properties["PrivateDnsEnabled"]])
    group = template.resources(GROUP, of="PrivateFunctionsEndpointSecurityGroup")[0]
    functions = template.resources(GROUP, of="PrivateFunctionsSecurityGroup")[0]
    rules = group.properties["SecurityGroupIngress"]
    _callers(inline_addresses(group), template.mentions(functions.logical_id, rules), group.logical_id)
    for door in doors:
        _for_this_account(door.properties.get("PolicyDocument"), door.logical_id)
    return f"{' and '.join(sorted(named))}, {len(rules)} groups"


@guarded.on_cloud
def _(cloud: Deployment) -> str:
    ids = [entry.physical_id for entry in cloud.resources(ENDPOINT)]
    doors = cloud.client("ec2").describe_vpc_endpoints(VpcEndpointIds=ids)["VpcEndpoints"]
    named = [door["ServiceName"].rpartition(".")[2] for door in doors if door["State"].lower() == "available"]
    wanted = ["secretsmanager", *(["sns"] if "OrderTopicArn" in cloud.outputs else [])]
    _doors(sorted(set(wanted) - set(named)), [d["VpcEndpointId"] for d in doors if not d["PrivateDnsEnabled"]])
    functions = cloud.resources(GROUP, of="PrivateFunctionsSecurityGroup")[0].physical_id
    for door in doors:
        for group in door["Groups"]:
            rules = incoming(cloud, group["GroupId"])
            let_in = {rule.get("ReferencedGroupInfo", {}).get("GroupId") for rule in rules}
            _callers(addresses_let_in(rules), functions in let_in, group["GroupId"])
        _for_this_account(json.loads(door["PolicyDocument"]), door["VpcEndpointId"])
    return f"{' and '.join(sorted(named))}"


def _doors(missing: list[str], nameless: list[str]) -> None:
    expect(
        not missing,
        f"there is no interface endpoint that works for {' and '.join(missing)}, so functions in the isolated subnets "
        "wait until they time out",
        where=f"open_door in {FUNCTIONS_CODE}, and VPC console: Endpoints",
        next_step="make the endpoint in an isolated subnet, or deploy the lesson's stack again",
    )
    expect(
        not nameless,
        f"{', '.join(nameless)} has no private DNS, so the SDK asks for the public address and goes nowhere",
        where=f"private_dns_enabled in {FUNCTIONS_CODE}, and VPC console: Endpoints",
        next_step="`aws ec2 modify-vpc-endpoint --private-dns-enabled`",
    )


def _callers(ranges: list[str], admits_functions: bool, group: str) -> None:
    expect(
        not ranges,
        f"the endpoints' security group {group} lets in {', '.join(ranges)}, and not only who is named",
        where=f"_doors in {FUNCTIONS_CODE}, and EC2 console: Security groups",
        next_step="revoke that rule; let in security groups",
    )
    expect(
        admits_functions,
        f"the endpoints' security group {group} does not let in the functions that the endpoints are there for",
        where=f"_doors in {FUNCTIONS_CODE}, and EC2 console: Security groups",
        next_step="let the functions' security group in, on port 443",
    )


def _for_this_account(policy: Any, door: str) -> None:
    open_ones = [
        statement
        for statement in statements(policy)
        if "aws:PrincipalAccount" not in json.dumps(statement.get("Condition", {}))
        or "*" in listed(statement["Action"])
    ]
    expect(
        statements(policy) and not open_ones,
        f"the policy of the endpoint {door} lets everything through, also to accounts of others",
        where=f"add_to_policy in {FUNCTIONS_CODE}, and VPC console: Endpoints, Policy",
        next_step="name the actions that go through, for principals of this account (aws:PrincipalAccount)",
    )


by_role = CHECKS.check(
    "secret-by-role",
    lesson="2.1",
    objective="secrets-reading",
    proves="The password was generated, is read by who has the role for it, and stands nowhere else",
)


@by_role.on_template
def _(template: Template) -> str:
    secrets = template.resources("AWS::SecretsManager::Secret")
    chosen = [secret.logical_id for secret in secrets if "GenerateSecretString" not in secret.properties]
    expect(
        secrets and not chosen,
        f"the password in {', '.join(chosen) or 'no secret'} was chosen and not generated, so it is in the code",
        where=DATABASE_CODE,
        next_step="let Secrets Manager generate it: Credentials.from_generated_secret",
    )
    functions = template.resources(FUNCTION)
    given = [
        function.logical_id
        for function in functions
        if "resolve:secretsmanager" in json.dumps(function.properties.get("Environment", {}))
    ]
    _nowhere_else(given)
    (schema,) = template.resources(FUNCTION, of="OrderSchemaFunction")
    expect(
        "DATABASE_SECRET_ARN" in schema.properties["Environment"]["Variables"],
        "the schema function is not told which secret to read",
        where=f"database_variables in {CONSTRUCTS}/database_client.py",
        next_step="give it the secret's ARN: DATABASE_SECRET_ARN",
    )
    anything = [
        policy.logical_id
        for policy in template.resources("AWS::IAM::Policy")
        for statement in statements(policy.properties["PolicyDocument"])
        if "secretsmanager:GetSecretValue" in listed(statement["Action"]) and "*" in listed(statement["Resource"])
    ]
    expect(
        not anything,
        f"{', '.join(anything)} may read every secret of the account",
        where="the grants in stacks/phase2_orders.py and its constructs",
        next_step="grant one secret: secret.grant_read(role)",
    )
    return f"{len(secrets)} generated, {len(functions)} functions know at most an ARN"


@by_role.on_cloud
def _(cloud: Deployment) -> str:
    client, passwords = cloud.client("secretsmanager"), []
    for name in ("DatabaseSecretArn", "CacheSecretArn"):
        if name in cloud.outputs:
            secret = json.loads(client.get_secret_value(SecretId=cloud.outputs[name])["SecretString"])
            passwords.append(secret["password"])
    functions = [entry.physical_id for entry in cloud.resources(FUNCTION)]
    settings = {
        name: json.dumps(cloud.client("lambda").get_function_configuration(FunctionName=name).get("Environment", {}))
        for name in functions
    }
    if "ShopConfigParameter" in cloud.outputs:
        settings[cloud.outputs["ShopConfigParameter"]] = json.dumps(shop_config(cloud))
    _nowhere_else([name for name, text in settings.items() if any(password in text for password in passwords)])
    described = cloud.shared(described_tables)
    return f"read by role ({len(described.tables)} tables seen); in none of {len(settings)} settings"


def _nowhere_else(places: list[str]) -> None:
    expect(
        not places,
        f"a password stands in the settings of {', '.join(places)}, where everybody reads it who may look at them",
        where="Lambda console: the function, Configuration, Environment variables",
        next_step="take it out there, give the secret's ARN instead, and change the password, since it was seen",
    )


forced = CHECKS.check(
    "tls-forced",
    lesson="2.1",
    objective="secrets-reading",
    proves="The database takes no password over a connection that others could read",
)


@forced.on_template
def _(template: Template) -> str:
    group = template.resources("AWS::RDS::DBParameterGroup", of="OrderDatabase")[0]
    instance = database(template)
    expect(
        template.mentions(group.logical_id, instance.properties.get("DBParameterGroupName")),
        f"the database {instance.logical_id} does not use the parameter group {group.logical_id}",
        where=f"parameter_group in {DATABASE_CODE}",
        next_step="hand the parameter group to the instance",
    )
    _forces(str(group.properties.get("Parameters", {}).get("rds.force_ssl")), group.logical_id)
    return "rds.force_ssl = 1"


@forced.on_cloud
def _(cloud: Deployment) -> str:
    instance = instance_of(cloud)
    (group,) = instance["DBParameterGroups"]
    name = group["DBParameterGroupName"]
    pages = cloud.client("rds").get_paginator("describe_db_parameters").paginate(DBParameterGroupName=name)
    values = {entry["ParameterName"]: entry.get("ParameterValue") for page in pages for entry in page["Parameters"]}
    _forces(str(values.get("rds.force_ssl")), name)
    expect(
        group["ParameterApplyStatus"] == "in-sync",
        f"the parameter group {name} is not in force yet: {group['ParameterApplyStatus']}",
        where="RDS console: the database, Configuration",
        next_step="`aws rds reboot-db-instance`: some parameters count from the next start on",
    )
    said = ask_without_tls(cloud.outputs["DatabaseHost"], int(instance["Endpoint"]["Port"]))
    expect(
        said is None or said.startswith("E"),
        f"the database {instance['DBInstanceIdentifier']} asks for a password over a connection without TLS",
        where=f"the parameter rds.force_ssl of {name}, and the database's log",
        next_step="set rds.force_ssl to 1 in the group that the database uses",
    )
    tried = "cannot be reached from here" if said is None else "a connection without TLS is refused"
    return f"rds.force_ssl = 1; {tried}"


def _forces(value: str, group: str) -> None:
    expect(
        value == "1",
        f"rds.force_ssl is {value} in {group}, so the database also takes passwords in clear text",
        where=f"parameters in {DATABASE_CODE}, and RDS console: Parameter groups",
        next_step="set it to 1",
    )


def ask_without_tls(host: str, port: int) -> str | None:
    """Begin a connection of PostgreSQL in clear text.

    Returns:
        `R` when the server asks for the password, `E` and its sentence when it refuses; None where it cannot be
        reached, as from outside of an isolated subnet.
    """
    names = b"user\0brewhaven\0database\0brewhaven\0\0"
    hello = struct.pack("!ii", 8 + len(names), 196608) + names
    try:
        with socket.create_connection((host, port), timeout=2) as wire:
            wire.settimeout(5)
            wire.sendall(hello)
            return wire.recv(400).decode("utf-8", errors="replace") or None
    except OSError:
        return None


current = CHECKS.check(
    "schema-current",
    lesson="2.1",
    objective="schema-migrations",
    proves="Every migration was applied, once: applied again they change nothing",
)


@current.on_cloud
def _(cloud: Deployment) -> str:
    function = cloud.outputs["SchemaFunctionName"]
    files = sorted(path.name for path in MIGRATIONS.glob("*.sql"))
    answer = call_schema(cloud, {})
    expect(
        "version" in answer,
        f"the migrations cannot be applied: {answer.get('errorMessage', answer)}",
        where=f"the log of {function}, and the table schema_migrations",
        next_step="the sentence says which file; what was applied is never changed, a correction is a new file",
    )
    expect(
        not answer["applied"],
        f"{', '.join(answer['applied'])} was still to be applied, and has been just now",
        where=f"OrderSchema in the stack: the deployment calls {function} when the migrations change",
        next_step="deploy again, and see in the events that the trigger waits for the database",
    )
    newest = int(files[-1][:4])
    expect(
        answer["version"] >= newest,
        f"the database is at version {answer['version']}, and the newest file is {files[-1]}",
        where=f"{MIGRATIONS.relative_to(REPOSITORY)}",
        next_step="deploy again, so that the function gets the file",
    )
    return f"version {answer['version']}, nothing applied twice"


constrained = CHECKS.check(
    "tables-constrained",
    lesson="2.1",
    objective="rds-relational-design",
    proves="The tables themselves refuse an order without its parts, stock below nothing, and the same thing twice",
)

# Table, what its constraints must say, and what would be possible without.
MUST = (
    ("orders", r"PRIMARY KEY \(id\)", "two orders of one number"),
    ("orders", r"FOREIGN KEY \(customer_id\) REFERENCES customers\(id\)", "an order of a customer who never was"),
    ("orders", r"CHECK .*status = ANY", "an order in a state that nobody knows"),
    ("orders", r"CHECK \(\(total_cents >= 0\)\)", "an order that pays its customer"),
    ("order_lines", r"FOREIGN KEY \(order_id\) REFERENCES orders\(id\)", "a line without its order"),
    ("order_lines", r"CHECK .*quantity >= 1.*quantity <= 20", "a million lattes in one line"),
    ("payments", r"FOREIGN KEY \(order_id\) REFERENCES orders\(id\)", "a payment for nothing"),
    ("inventory", r"CHECK \(\(stock >= 0\)\)", "the last croissant sold twice"),
    ("idempotency_keys", r"PRIMARY KEY \(owner, key\)", "one key that places two orders"),
    ("outbox", r"FOREIGN KEY \(order_id\) REFERENCES orders\(id\)", "an event of an order that is not there"),
    ("processed_events", r"PRIMARY KEY \(event_id\)", "one event that has its effect twice"),
)
INDEXES = {"orders": ("orders_of_owner", "orders_open", "orders_sold"), "outbox": ("outbox_unsent",)}


@constrained.on_cloud
def _(cloud: Deployment) -> str:
    tables = cloud.shared(described_tables).tables
    for table, said, otherwise in MUST:
        constraints = tables.get(table, {}).get("constraints", [])
        expect(
            any(re.search(said, constraint) for constraint in constraints),
            f"the table {table} does not keep out {otherwise}: none of its {len(constraints)} constraints says so",
            where=f"{MIGRATIONS.relative_to(REPOSITORY)}, and `\\d {table}` in `brewhaven local psql`",
            next_step="add the constraint in a new migration (`alter table ... add constraint ...`) and deploy",
        )
    missing = [
        name
        for table, names in INDEXES.items()
        for name in names
        if name not in tables.get(table, {}).get("indexes", [])
    ]
    expect(
        not missing,
        f"there is no index {', '.join(missing)}, so the question that it answers reads the whole table",
        where=f"{MIGRATIONS.relative_to(REPOSITORY)}, and `\\di` in `brewhaven local psql`",
        next_step="make it again in a new migration (`create index ...`) and deploy",
    )
    return f"{len(MUST)} constraints in {len(tables)} tables, {sum(map(len, INDEXES.values()))} indexes"
