"""CatalogTable: the one DynamoDB table of the shop, and the menu it opens with."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import triggers
from constructs import Construct

from brew_constructs.acknowledge import acknowledge, wildcard
from brew_constructs.python_function import python_function
from brew_constructs.sources import MENU_FILE

Capacity = Literal["on-demand", "provisioned"]

LEAST_CAPACITY_UNITS = 5  # with fewer, a new table would be minutes at taking its menu
MOST_CAPACITY_UNITS = 20


@dataclass(frozen=True)
class CatalogIndex:
    """A global secondary index: its name and the two attributes that are its keys."""

    name: str
    partition_key: str
    sort_key: str


BY_CATEGORY = CatalogIndex("ByCategory", partition_key="gsi1pk", sort_key="gsi1sk")
OPEN_ORDERS = CatalogIndex("OpenOrders", partition_key="gsi2pk", sort_key="gsi2sk")


class CatalogTable(Construct):
    """The shop's single DynamoDB table, with the menu put into it when it is deployed.

    One table holds several kinds of item. What they share are the keys `pk` and `sk`, chosen so that each question the
    shop asks is one request, and `type`, which says what an item is:

    | The shop asks                          | Request    | Key                                                     |
    |----------------------------------------|------------|---------------------------------------------------------|
    | Which categories are there?            | GetItem    | pk=MENU, sk=CATEGORIES                                  |
    | What does one product cost?            | GetItem    | pk=PRODUCT#<id>, sk=PRODUCT                             |
    | What is on the menu?                   | Query      | index ByCategory: gsi1pk=MENU                           |
    | What is in a category?                 | Query      | index ByCategory: gsi1pk=MENU, gsi1sk begins <category># |
    | How is this order doing?               | GetItem    | pk=ORDER#<id>, sk=ORDER                                 |
    | Which orders has this customer made?   | Query      | pk=CUSTOMER#<id>, sk begins with ORDER#                 |
    | Which orders must the barista make?    | Query      | index OpenOrders: gsi2pk=OPEN, oldest first             |
    | Who signs in with this address?        | GetItem    | pk=EMAIL#<address>, sk=CUSTOMER                         |
    | Whose session is this?                 | GetItem    | pk=SESSION#<hash>, sk=SESSION                           |
    | Was this request answered before?      | GetItem    | pk=IDEMPOTENCY#<scope>#<key>, sk=IDEMPOTENCY            |

    No question needs a Scan, which reads (and bills) the whole table. `OpenOrders` is *sparse*: only items that have
    `gsi2pk` are in it, and an order loses that attribute when it is collected, so the index stays as short as the queue
    at the counter. Sessions and other short-lived items carry `expires_at` (seconds since 1970), after which DynamoDB
    deletes them for nothing.

    Every change goes to the table's stream with the item before and after it, for the phases that react to changes.
    Point-in-time recovery can put back any second of the last seven days.

    The table is deleted with its stack, data and all. A shop that earns money would keep it (`RemovalPolicy.RETAIN` and
    deletion protection); a course must leave nothing behind that costs money.

    :param capacity: `on-demand` (the default) bills each request and needs no planning. `provisioned` bills capacity by
        the hour, which is cheaper for steady traffic, and grows and shrinks it between 5 and 20 units.
    :param menu_file: the menu in JSON; by default the shop's own. Each product is put into the table unless it is there
        already, so what a manager changed stays changed. A changed file is put in at the next deployment.
    :raises ValueError: when the menu file is missing or broken.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-general-nosql-design.html
    """

    def __init__(
        self, scope: Construct, id_: str, *, capacity: Capacity = "on-demand", menu_file: Path = MENU_FILE
    ) -> None:
        super().__init__(scope, id_)
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing=_billing(capacity),
            time_to_live_attribute="expires_at",
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True, recovery_period_in_days=7
            ),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.seeder = self._seed(menu_file)

    def add_index(self, index: CatalogIndex) -> None:
        """Add an index that answers another question about the same items.

        Items that are there already are copied into it while the shop stays open. An update of a table creates one
        index at most, so a stack that is deployed step by step adds no more than one in each step. A new table may have
        them all.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.html
        """
        self.table.add_global_secondary_index(
            index_name=index.name,
            partition_key=dynamodb.Attribute(name=index.partition_key, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=index.sort_key, type=dynamodb.AttributeType.STRING),
        )

    def grant_shop_access(self, role: iam.IRole) -> None:
        """Allow what the shop does with its items, on the table and its indexes.

        `grant_read_write_data` would allow Scan as well. The shop has a key for each of its questions, so a Scan would
        be a mistake, and a mistake that IAM refuses is found before the bill arrives.
        """
        self.table.grant(
            role,
            "dynamodb:GetItem",
            "dynamodb:BatchGetItem",
            "dynamodb:Query",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:DescribeTable",
        )
        acknowledge(
            role,
            {
                wildcard(
                    self.table, "/index/*"
                ): "The shop asks its questions through the table's indexes, and may use one "
                "that a later lesson adds. The wildcard ends at this table."
            },
        )

    def _seed(self, menu_file: Path) -> triggers.TriggerFunction:
        _check_menu(menu_file)
        scope = Construct(self, "MenuSeeder")
        settings = python_function(scope, "menu_seeder", extra_files={"menu.json": menu_file})
        settings["timeout"] = cdk.Duration.minutes(2)  # a provisioned table makes it wait between its writes
        seeder = triggers.TriggerFunction(
            scope,
            "Function",
            **settings,
            description="Puts the menu into the catalog table, once for each version of the menu",
            environment={"CATALOG_TABLE": self.table.table_name},
            execute_after=[self.table],
        )
        # PutItem alone, and on the table alone: a conditional put needs no right to read what is there, and the table's
        # own grant would name its indexes as well, so that adding one would change this policy.
        iam.Grant.add_to_principal(grantee=seeder, actions=["dynamodb:PutItem"], resource_arns=[self.table.table_arn])
        acknowledge(
            seeder,
            {
                "Serverless-LambdaDLQ": "The deployment calls the function and waits: a failure fails the deployment, "
                "in front of whoever deploys. A dead-letter queue is for events that nobody waits for.",
                "Serverless-LambdaTracing": "It runs once a deployment and calls one service: no path to trace.",
            },
        )
        return seeder


def _billing(capacity: Capacity) -> dynamodb.Billing:
    if capacity == "on-demand":
        return dynamodb.Billing.on_demand()
    scaled = dynamodb.Capacity.autoscaled(
        min_capacity=LEAST_CAPACITY_UNITS, max_capacity=MOST_CAPACITY_UNITS, target_utilization_percent=70
    )
    return dynamodb.Billing.provisioned(read_capacity=scaled, write_capacity=scaled)


def _check_menu(menu_file: Path) -> None:
    """Stop at synth for a menu that the seeder could not even read; the seeder itself checks every product."""
    try:
        menu = json.loads(menu_file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"the menu file cannot be read: {menu_file}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"the menu file is not valid JSON: {menu_file}: {error}") from None
    if not isinstance(menu, dict) or not menu.get("products"):
        raise ValueError(f"the menu file has no products: {menu_file}")
