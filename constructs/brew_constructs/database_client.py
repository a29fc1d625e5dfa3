"""What a function is told about the database, said once for all that use it."""

from brew_constructs.order_database import DATABASE, OrderDatabase
from brew_constructs.python_layer import CERTIFICATES_IN_FUNCTIONS


def database_variables(database: OrderDatabase) -> dict[str, str]:
    """The environment of a function that connects to the database: PostgreSQL's own variables, and the secret's ARN.

    The password is not among them. The function reads it with its role, once for each environment that starts.

    https://www.postgresql.org/docs/16/libpq-envars.html
    """
    return {
        "PGHOST": database.host,
        "PGPORT": database.port,
        "PGDATABASE": DATABASE,
        "PGSSLROOTCERT": CERTIFICATES_IN_FUNCTIONS,
        "DATABASE_SECRET_ARN": database.secret.secret_arn,
    }
