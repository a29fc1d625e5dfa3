"""StorefrontSwitch: hands tasks of the shop over to what this phase has built, as its last act."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from aws_cdk.aws_dynamodb import ITableV2
from constructs import Construct, IDependable

from brew_constructs.order_database import DATABASE, OrderDatabase
from brew_constructs.shop_cache import ShopCache


@dataclass(frozen=True)
class Shop:
    """A process of the shop that an earlier stack runs: what it may do, and how it is known in the network."""

    name: str
    role: iam.IRole
    security_group: ec2.ISecurityGroup


class StorefrontSwitch(Construct):
    """The one parameter that the shop rereads, and what the shop needs before it reads it.

    The shop looks at this parameter every few seconds and goes the way that it names. So it must be the last thing that
    a deployment makes, after the network lets the shop through, its roles may read the secrets, and the tables are
    there; and the first thing that a deletion takes away. CloudFormation does both when the parameter depends on all of
    it.

    The shop's roles and security groups belong to an earlier stack, which is not changed: the policy here is a resource
    of *this* stack that is attached to the earlier roles, and the database admits the earlier groups.

    | Key               | Says                                               | Written by |
    |-------------------|----------------------------------------------------|------------|
    | `orders`          | `postgresql`, and under `postgresql` where it is   | `orders`   |
    | `sessions`        | `valkey`, and under `valkey` where it is           | `sessions` |
    | `menu_cache`      | `valkey`                                           | `sessions` |
    | `order_queue_url` | where the shop sends what happens to orders        | `events`   |

    :param parameter_name: the path that the shop was told in phase 1.
    :param shops: the shop's processes. Their names are ids here.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-dependson.html
    """

    def __init__(self, scope: Construct, id_: str, *, parameter_name: str, shops: Sequence[Shop]) -> None:
        super().__init__(scope, id_)
        self._shops = shops
        self._says: dict[str, Any] = {}
        self.policy = iam.Policy(self, "ShopMay", roles=[shop.role for shop in shops])
        self.parameter = ssm.StringParameter(
            self,
            "Parameter",
            parameter_name=parameter_name,
            description="Which way the shop goes for orders, sessions and the menu",
            string_value=cdk.Lazy.string(_Text(self._text)),
        )
        self.parameter.node.add_dependency(self.policy)

    def orders(self, database: OrderDatabase, *, before: ITableV2, after: Sequence[IDependable]) -> None:
        """Move the shop's orders to the database.

        :param before: the table that holds them now. The shop carries over what is in it, once, and for that alone may
            read it from end to end.
        :param after: what else must be there, such as the tables.
        """
        rules = Construct(self, "IntoDatabase")
        for shop in self._shops:
            database.admit(rules, shop.name, shop.security_group, "The shop")
        database.secret.grant_read(self.policy)
        # On the table alone: its own grant would name the indexes, of which the shop scans none.
        iam.Grant.add_to_principal(grantee=self.policy, actions=["dynamodb:Scan"], resource_arns=[before.table_arn])
        self._say(
            {
                "orders": "postgresql",
                "postgresql": {
                    "host": database.host,
                    "port": cdk.Token.as_number(database.port),
                    "database": DATABASE,
                    "secret_arn": database.secret.secret_arn,
                },
            },
            after=[rules, *after],
        )

    def sessions(self, cache: ShopCache) -> None:
        """Move the shop's sessions and carts to the cache, and keep copies of the menu there."""
        rules = Construct(self, "IntoCache")
        for shop in self._shops:
            cache.admit(rules, shop.name, shop.security_group, "The shop")
        cache.secret.grant_read(self.policy)
        self._say(
            {
                "sessions": "valkey",
                "menu_cache": "valkey",
                "valkey": {
                    "host": cache.host,
                    "port": cdk.Token.as_number(cache.port),
                    "secret_arn": cache.secret.secret_arn,
                },
            },
            after=[rules, cache],
        )

    def events(self, queue: sqs.IQueue) -> None:
        """Let the shop send what happens to orders to a queue."""
        queue.grant_send_messages(self.policy)
        self._say({"order_queue_url": queue.queue_url}, after=[queue])

    def _say(self, more: Mapping[str, Any], *, after: Sequence[IDependable]) -> None:
        self._says.update(more)
        self.parameter.node.add_dependency(*after)

    def _text(self) -> str:
        return cdk.Stack.of(self).to_json_string(self._says)


@jsii.implements(cdk.IStableStringProducer)
class _Text:
    """The parameter's text, asked for when all lessons have had their say."""

    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text

    def produce(self) -> str:
        return self._text()
