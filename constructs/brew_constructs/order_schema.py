"""OrderSchema: the tables of the orders database, brought up to date by the deployment itself."""

import aws_cdk as cdk
from aws_cdk import triggers
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.database_client import database_variables
from brew_constructs.order_database import OrderDatabase
from brew_constructs.private_functions import PrivateFunctions
from brew_constructs.python_function import python_function
from brew_constructs.python_layer import PythonLayer


class OrderSchema(Construct):
    """The migrations in `lambda_src/order_schema/migrations/`, applied to the database by every deployment that changes
    them.

    A migration is a numbered SQL file. The function applies those that the database does not have yet, in order, each
    in one transaction together with a row in `schema_migrations`: a migration that fails leaves nothing behind, and one
    that was applied is not applied again. A lock lets one deployment at a time do so.

    The deployment waits for the function, and fails with the function's sentence (which file, which line, why). It runs
    again when the function's code changes, of which the migrations are a part, and not otherwise.

    When a deployment is rolled back, its migrations stay: undoing a schema with data in it is not a thing to do
    automatically at night. So a migration must leave the tables usable for the version of the shop before it: add
    first, and remove in a later deployment.

    :param database: whose tables they are.
    :param network: where the function runs.
    :param libraries: the layer with the PostgreSQL client and the certificate authorities.

    https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.triggers-readme.html
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        database: OrderDatabase,
        network: PrivateFunctions,
        libraries: PythonLayer,
    ) -> None:
        super().__init__(scope, id_)
        settings = python_function(self, "order_schema", shares=("shop_database",))
        settings["timeout"] = cdk.Duration.minutes(5)
        self.function = triggers.TriggerFunction(
            self,
            "Function",
            **settings,
            **network.settings(settings["role"]),
            layers=[libraries],
            description=f"Brings the tables of {database.name} up to date, once for each version of the migrations",
            environment=database_variables(database),
            # All of the network, or the function would be called without rules and doors.
            execute_after=[database.instance, network],
        )
        database.secret.grant_read(settings["role"])
        acknowledge(
            self.function,
            {
                "Serverless-LambdaDLQ": "The deployment calls the function and waits: a failure fails the deployment, "
                "in front of whoever deploys. A dead-letter queue is for events that nobody waits for.",
                "Serverless-LambdaTracing": "It runs once a deployment and calls one database: no path to trace.",
            },
        )
