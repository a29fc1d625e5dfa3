"""Builds the shop from its settings: the only module that knows both the domain's ports and AWS."""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from shop.adapters import keys, quick_parser
from shop.adapters.cached_catalog import CachedCatalog
from shop.adapters.catalog import DynamoCatalog
from shop.adapters.limits import DynamoLimiter
from shop.adapters.moving_orders import MovingOrders, StockedCatalog
from shop.adapters.order_gate import Closing, OrderGate
from shop.adapters.order_home import OrderHome
from shop.adapters.orders import DynamoOrders
from shop.adapters.outbox import Relay
from shop.adapters.people import Argon2Hasher, DynamoPeople
from shop.adapters.pictures import S3Pictures
from shop.adapters.rejected_pictures import DynamoRejectedPictures
from shop.adapters.seam import ParameterSeam
from shop.adapters.secret import Login, SecretKeys
from shop.adapters.sessions import CookieSigner, DynamoSessions
from shop.adapters.switches import Parameter, PostgresPlace, ValkeyPlace
from shop.adapters.table import Table
from shop.adapters.valkey_sessions import COPY_SECONDS, ValkeyLimiter, ValkeySessions
from shop.adapters.valkey_store import Connected, ValkeyStore
from shop.app import THREADS
from shop.services import Services
from shop.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from shop.adapters.postgres_orders import PostgresOrders


def build(settings: Settings) -> Services:
    """The shop on AWS.

    Clients are made once: they are safe to share between threads, and a connection for each thread is kept open.
    Credentials and endpoints are the SDK's own business.  What only a later phase needs is imported and made when its
    parameter asks for it.
    """
    config = Config(
        max_pool_connections=THREADS + 4,
        connect_timeout=3,
        read_timeout=6,
        retries={"mode": "standard", "max_attempts": 4},
        user_agent_extra="brew-haven-shop",
    )
    aws = boto3.Session(region_name=settings.region)
    quick = boto3.Session(botocore_session=quick_parser.session(), region_name=settings.region)
    table = Table(quick.client("dynamodb", config=config), settings.catalog_table)
    vault = aws.client("secretsmanager", config=config)
    secrets = SecretKeys(vault, settings.session_secret_arn)
    people = DynamoPeople(table)
    gate = OrderGate(table)

    def queue() -> "SQSClient":
        # Shorter than a transaction may stand idle: rows of the outbox are claimed while this waits.
        patience = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 2})
        return aws.client("sqs", config=config.merge(patience))

    relay = Relay(queue)

    def open_postgres(place: PostgresPlace) -> "PostgresOrders":
        from shop.adapters.postgres import Database  # noqa: PLC0415  (only phase 2 pays for it)
        from shop.adapters.postgres_orders import PostgresOrders  # noqa: PLC0415

        login = Login(vault, place.secret_arn, "PostgreSQL")
        return PostgresOrders(Database(place, login), settings.zone, people.by_id, written=relay.poke)

    def carry_over(book: "PostgresOrders", closing: Closing) -> None:
        from shop.adapters import carry_over  # noqa: PLC0415

        carry_over.carry_over(book.database, table, closing, settings.zone)

    def may_carry_over() -> None:
        from shop.adapters import carry_over  # noqa: PLC0415

        carry_over.may_carry_over(table)

    def connect_valkey(place: ValkeyPlace) -> Connected:
        from shop.adapters.valkey_client import ValkeyClient  # noqa: PLC0415

        return ValkeyClient(place, Login(vault, place.secret_arn, "Valkey"), connections=THREADS + 4)

    parameter = Parameter(aws.client("ssm", config=config), settings.config_parameter)
    home = OrderHome(parameter, gate, open_postgres, carry_over, may_carry_over=may_carry_over, relay=relay)
    store = ValkeyStore(connect_valkey, longest=COPY_SECONDS)
    catalog = CachedCatalog(store, StockedCatalog(home, DynamoCatalog(table, gate)))
    return Services(
        zone=settings.zone,
        catalog=catalog,
        orders=MovingOrders(home, DynamoOrders(table, settings.zone, gate), catalog.changed),
        sessions=ValkeySessions(store, DynamoSessions(table)),
        people=people,
        limiter=ValkeyLimiter(store, DynamoLimiter(table)),
        hasher=Argon2Hasher(),
        pictures=S3Pictures(
            aws.client("s3", config=config.merge(Config(signature_version="s3v4"))), settings.asset_bucket
        ),
        rejected_pictures=DynamoRejectedPictures(table),
        signer=CookieSigner(secrets),
        seam=ParameterSeam(parameter, home, store),
        checks={"table": lambda: table.get(keys.BOARD, consistent=False), "session secret": secrets},
    )
