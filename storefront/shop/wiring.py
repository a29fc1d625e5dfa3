"""Builds the shop from its settings: the only module that knows both the domain's ports and AWS."""

import boto3
from botocore.config import Config

from shop.adapters import keys, quick_parser
from shop.adapters.catalog import DynamoCatalog
from shop.adapters.limits import DynamoLimiter
from shop.adapters.orders import DynamoOrders
from shop.adapters.people import Argon2Hasher, DynamoPeople
from shop.adapters.pictures import S3Pictures
from shop.adapters.rejected_pictures import DynamoRejectedPictures
from shop.adapters.secret import SecretKeys
from shop.adapters.sessions import CookieSigner, DynamoSessions
from shop.adapters.switches import ParameterSwitches
from shop.adapters.table import Table
from shop.app import THREADS
from shop.services import Services
from shop.settings import Settings


def build(settings: Settings) -> Services:
    """The shop on AWS.

    Clients are made once: they are safe to share between threads, and a connection for each thread is kept open.
    Credentials and endpoints are the SDK's own business.
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
    secrets = SecretKeys(aws.client("secretsmanager", config=config), settings.session_secret_arn)
    order_books = {"dynamodb": DynamoOrders(table, settings.zone)}
    session_stores = {"dynamodb": DynamoSessions(table)}
    known = {"orders": frozenset(order_books), "sessions": frozenset(session_stores)}
    return Services(
        zone=settings.zone,
        catalog=DynamoCatalog(table),
        order_books=order_books,
        session_stores=session_stores,
        people=DynamoPeople(table),
        limiter=DynamoLimiter(table),
        hasher=Argon2Hasher(),
        pictures=S3Pictures(
            aws.client("s3", config=config.merge(Config(signature_version="s3v4"))), settings.asset_bucket
        ),
        rejected_pictures=DynamoRejectedPictures(table),
        signer=CookieSigner(secrets),
        switches=ParameterSwitches(aws.client("ssm", config=config), settings.config_parameter, known),
        checks={"table": lambda: table.get(keys.BOARD, consistent=False), "session secret": secrets},
    )
