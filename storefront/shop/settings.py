"""The seam: what the platform tells the shop, in environment variables.

| variable | meaning | when it is missing |
|---|---|---|
| `CATALOG_TABLE` | name of the one table | the shop does not start |
| `ASSET_BUCKET` | name of the bucket with the pictures | the shop does not start |
| `SESSION_SECRET_ARN` | the secret that holds the key for signed cookies | the shop does not start |
| `SHOP_CONFIG_PARAMETER` | path of the JSON parameter by which later phases move orders and more | phase 1's way |
| `SHOP_TIME_ZONE` | in which times are shown and a day of sales begins | `Europe/Vienna` |
| `SHOP_HOST` | the address it listens on; `127.0.0.1` to try it on a desk | `0.0.0.0`, every one of its container |
| `AWS_REGION` | the region; boto3 itself reads only `AWS_DEFAULT_REGION`, Fargate sets both | the SDK's own way |
| `PGSSLROOTCERT` | the authorities that sign PostgreSQL's certificate, a file for libpq | no orders in PostgreSQL |
| `SSL_CERT_FILE` | the authorities that sign Valkey's certificate, a file for OpenSSL | the system's |

Credentials and endpoints are the AWS SDK's own business.  What a later phase has built (PostgreSQL, Valkey, a queue) is
said by the parameter, see `shop.adapters.switches`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class SettingsError(Exception):
    """The environment does not say what the shop needs; the message names every variable that is wrong."""


@dataclass(frozen=True, slots=True)
class Settings:
    catalog_table: str
    asset_bucket: str
    session_secret_arn: str
    config_parameter: str | None
    region: str | None
    zone: ZoneInfo
    host: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the environment once.  Raises `SettingsError` with everything that is wrong."""
        problems = [
            f"{name} is not set; the task definition (or the instance's user data) gives it."
            for name in ("CATALOG_TABLE", "ASSET_BUCKET", "SESSION_SECRET_ARN")
            if not environment.get(name)
        ]
        zone_name = environment.get("SHOP_TIME_ZONE") or "Europe/Vienna"
        try:
            zone = ZoneInfo(zone_name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            zone = ZoneInfo("UTC")
            problems.append(f"SHOP_TIME_ZONE must be a zone such as Europe/Vienna, got {zone_name!r}.")
        if problems:
            raise SettingsError("The shop cannot start. " + " ".join(problems))
        return cls(
            catalog_table=environment["CATALOG_TABLE"],
            asset_bucket=environment["ASSET_BUCKET"],
            session_secret_arn=environment["SESSION_SECRET_ARN"],
            config_parameter=environment.get("SHOP_CONFIG_PARAMETER") or None,
            region=environment.get("AWS_REGION") or None,
            zone=zone,
            # Inside a container or an instance of its own, whose security group decides who reaches it.
            host=environment.get("SHOP_HOST") or "0.0.0.0",  # noqa: S104
        )
