"""A DB instance of a stack is a real PostgreSQL with TLS (resources/rds_instances.py, rds_stacks.py)."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from pg8000.exceptions import DatabaseError, InterfaceError

from brewhaven.local import lifecycle, tls
from brewhaven.local.engines import postgres_programs
from brewhaven.local.settings import CloudSettings
from tests.local.stacks import Stack, StackError, ref, stack, typed
from tests.plugins.databases import (
    PASSWORD,
    USER,
    Address,
    address,
    db_instance,
    described,
    network,
    outputs,
    wait_available,
    wait_until,
)
from tests.plugins.local_cloud import Cloud, brewhaven, free_port_pair

pytestmark = pytest.mark.local

_SECRET = typed(
    "AWS::SecretsManager::Secret",
    GenerateSecretString={
        "SecretStringTemplate": json.dumps({"username": USER}),
        "GenerateStringKey": "password",
        "ExcludeCharacters": " %+~`#$&*()|[]{}:;<>?!'/@\"\\",
        "PasswordLength": 30,
    },
)
_PASSWORD_OF_SECRET = {"Fn::Join": ["", ["{{resolve:secretsmanager:", ref("Secret"), ":SecretString:password::}}"]]}
_ATTACHED = typed(
    "AWS::SecretsManager::SecretTargetAttachment",
    SecretId=ref("Secret"),
    TargetId=ref("Db"),
    TargetType="AWS::RDS::DBInstance",
)


@pytest.fixture(scope="module")
def database(cloud: Cloud) -> Iterator[Address]:
    """One instance for the tests that only look."""
    with stack(cloud) as made:
        yield address(cloud, made.create({**network(), "Db": db_instance()}, **outputs()))


def test_the_generated_secret_logs_in_and_says_where(cloud: Cloud) -> None:
    with stack(cloud) as made:
        found = made.create(
            {
                **network(),
                "Secret": _SECRET,
                "Db": db_instance(MasterUserPassword=_PASSWORD_OF_SECRET),
                "Attached": _ATTACHED,
            },
            **outputs(),
            Secret=ref("Attached"),
        )
        text = cloud.client("secretsmanager").get_secret_value(SecretId=found["Secret"])["SecretString"]
        secret = json.loads(text)
        assert secret["engine"] == "postgres"
        assert secret["dbInstanceIdentifier"] == found["Id"]
        assert (secret["host"], secret["port"]) == (found["Host"], int(found["Port"]))
        place = Address(cloud, secret["host"], secret["port"], secret["username"], secret["password"], secret["dbname"])
        [[version, database]] = place.run("SELECT current_setting('server_version'), current_database()")
        assert version == postgres_programs.version() == described(cloud, found["Id"])["EngineVersion"]
        assert database == "shop"


def test_the_connection_is_encrypted_and_the_server_is_who_it_says(database: Address) -> None:
    [[encrypted, protocol]] = database.run("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert encrypted
    assert protocol in ("TLSv1.2", "TLSv1.3")


def test_another_authority_is_refused(database: Address, tmp_path: Path) -> None:
    stranger, _, _ = tls.ensure_certificates(tmp_path / "tls")
    with pytest.raises((ssl.SSLCertVerificationError, InterfaceError), match="CERTIFICATE_VERIFY_FAILED"):
        database.connect(authority=str(stranger))


def test_a_wrong_password_is_refused(database: Address) -> None:
    with pytest.raises(DatabaseError, match=f'password authentication failed for user "{USER}"'):
        database.connect(password="Espresso-2026!")


def test_without_tls_nobody_gets_in_by_default(database: Address) -> None:
    with pytest.raises(DatabaseError, match=f'no pg_hba.conf entry for host "127.0.0.1", user "{USER}".*no encryption'):
        database.connect(tls=False)


def test_the_master_user_is_no_superuser_but_may_make_roles_and_databases(database: Address) -> None:
    connection = database.connect()
    assert connection.run("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user") == [
        [False, True, True]
    ]
    assert connection.run("SELECT pg_has_role(current_user, 'rds_superuser', 'member')") == [[True]]
    connection.run("CREATE ROLE shop LOGIN PASSWORD 'Cortado-2026!'")
    connection.run("CREATE EXTENSION pgcrypto")
    with pytest.raises(DatabaseError, match="permission denied"):
        connection.run("ALTER SYSTEM SET work_mem = '8MB'")
    connection.close()
    database.connect(user="shop", password="Cortado-2026!").close()


def test_force_ssl_off_admits_plain_connections(cloud: Cloud) -> None:
    group = typed(
        "AWS::RDS::DBParameterGroup",
        Description="plain",
        Family="postgres16",
        Parameters={"rds.force_ssl": "0", "log_min_duration_statement": "250", "max_connections": "42"},
    )
    with stack(cloud) as made:
        made_outputs = made.create(
            {**network(), "Group": group, "Db": db_instance(DBParameterGroupName=ref("Group"))}, **outputs()
        )
        place = address(cloud, made_outputs)
        connection = place.connect(tls=False)
        assert connection.run("SHOW log_min_duration_statement") == [["250ms"]]
        assert connection.run("SHOW max_connections") == [["42"]]
        connection.close()

        # The group changes: TLS is forced at once, a static parameter waits for a reboot.
        group["Properties"]["Parameters"] = {"rds.force_ssl": "1", "max_connections": "43"}
        made.update({**network(), "Group": group, "Db": db_instance(DBParameterGroupName=ref("Group"))}, **outputs())
        wait_until(lambda: _refuses_plain(place))
        assert place.run("SHOW max_connections") == [["42"]]
        assert place.run("SHOW log_min_duration_statement") == [["-1"]]
        identifier = made_outputs["Id"]
        assert described(cloud, identifier)["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
        cloud.client("rds").reboot_db_instance(DBInstanceIdentifier=identifier)
        wait_available(cloud, identifier)
        assert place.run("SHOW max_connections") == [["43"]]
        assert described(cloud, identifier)["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"


def _refuses_plain(place: Address) -> bool:
    try:
        place.connect(tls=False).close()
    except DatabaseError as error:
        return "no encryption" in str(error)
    return False


def test_without_a_name_there_is_only_the_database_postgres(cloud: Cloud) -> None:
    rds = cloud.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="nameless",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        MasterUsername=USER,
        MasterUserPassword=PASSWORD,
        AllocatedStorage=20,
    )
    place = wait_available(cloud, "nameless")
    assert "DBName" not in described(cloud, "nameless")
    names = Address(cloud, place.host, place.port, database="postgres").run(
        "SELECT datname FROM pg_database WHERE NOT datistemplate"
    )
    assert names == [["postgres"]]
    with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot"):
        rds.delete_db_instance(DBInstanceIdentifier="nameless")
    rds.delete_db_instance(DBInstanceIdentifier="nameless", SkipFinalSnapshot=True)
    with pytest.raises(ClientError, match="DBInstanceNotFound"):
        described(cloud, "nameless")
    with pytest.raises((InterfaceError, OSError)):
        place.connect()


def test_instances_that_are_made_at_the_same_time_have_ports_of_their_own(cloud: Cloud) -> None:
    names = ["one", "two", "three"]

    def create(name: str) -> None:
        cloud.client("rds").create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            MasterUsername=USER,
            MasterUserPassword=PASSWORD,
            AllocatedStorage=20,
            BackupRetentionPeriod=0,
        )

    with ThreadPoolExecutor() as pool:
        list(pool.map(create, names))
    assert len({wait_available(cloud, name).port for name in names}) == len(names)
    for name in names:
        cloud.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_stop_keeps_the_data_and_start_brings_it_back(cloud: Cloud) -> None:
    rds = cloud.client("rds")
    with stack(cloud) as made:
        found = made.create({**network(), "Db": db_instance()}, **outputs())
        place = address(cloud, found)
        place.run("CREATE TABLE coffee AS SELECT 'mocha' AS name")
        rds.stop_db_instance(DBInstanceIdentifier=found["Id"])
        wait_available(cloud, found["Id"], "stopped")
        with pytest.raises((InterfaceError, OSError)):
            place.connect()
        with pytest.raises(ClientError, match="is in stopped state"):
            rds.reboot_db_instance(DBInstanceIdentifier=found["Id"])
        rds.start_db_instance(DBInstanceIdentifier=found["Id"])
        wait_available(cloud, found["Id"])
        assert place.run("SELECT name FROM coffee") == [["mocha"]]


def test_a_changed_password_counts_at_once(cloud: Cloud) -> None:
    with stack(cloud) as made:
        resources = {**network(), "Db": db_instance()}
        place = address(cloud, made.create(resources, **outputs()))
        resources["Db"] = db_instance(MasterUserPassword="Americano-2026!")
        made.update(resources, **outputs())
        place.connect(password="Americano-2026!").close()
        with pytest.raises(DatabaseError, match="password authentication failed"):
            place.connect()


def test_what_cannot_run_here_is_refused_in_words(cloud: Cloud) -> None:
    for changed, sentence in (
        ({"Engine": "mysql", "EngineVersion": None}, "has no engine mysql"),
        ({"EngineVersion": "17.2"}, "Cannot find version 17.2 for postgres"),
        ({"MasterUserPassword": "short"}, "MasterUserPassword is not a valid password"),
        ({"MasterUsername": "admin"}, "reserved word"),
        ({"DBName": "coffee-shop"}, "DBName must begin with a letter"),
    ):
        made = Stack(cloud)
        with pytest.raises(StackError, match=sentence):
            made.create({**network(), "Db": db_instance(**changed)})
        made.delete()


def test_a_replacing_change_makes_a_new_instance(cloud: Cloud) -> None:
    with stack(cloud) as made:
        resources = {**network(), "Db": db_instance()}
        first = made.create(resources, **outputs())
        resources["Db"] = db_instance(DBName="roastery")
        second = made.update(resources, **outputs())
        assert second["Id"] != first["Id"]
        moved = Address(cloud, second["Host"], int(second["Port"]), database="roastery")
        assert moved.run("SELECT current_database()") == [["roastery"]]
        with pytest.raises(ClientError, match="DBInstanceNotFound"):
            described(cloud, first["Id"])


def test_subnet_and_security_group_are_in_use(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    with stack(cloud) as made:
        made.create({**network(), "Db": db_instance()}, **outputs())
        with pytest.raises(ClientError, match="DependencyViolation"):
            ec2.delete_security_group(GroupId=made.physical_id("DatabaseGroup"))
        [interface] = ec2.describe_network_interfaces(
            Filters=[{"Name": "description", "Values": ["RDSNetworkInterface"]}]
        )["NetworkInterfaces"][-1:]
        assert interface["PrivateIpAddress"].startswith("10.7.")


def test_psql_opens_with_the_secret_and_status_says_where(cloud: Cloud) -> None:
    resources = {
        **network(), "Secret": _SECRET, "Db": db_instance(MasterUserPassword=_PASSWORD_OF_SECRET), "Attached": _ATTACHED
    }  # fmt: skip
    with stack(cloud) as made:
        found = made.create(resources, **outputs())
        listed = json.loads(brewhaven(cloud, "local", "status", "--json").stdout)["databases"]
        assert (found["Host"], int(found["Port"])) in [(one["host"], one["port"]) for one in listed]
        query = "SELECT current_user, current_database(), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        done = brewhaven(cloud, "local", "psql", "--instance", found["Id"], "-At", "-c", query)
        assert (done.returncode, done.stdout.strip()) == (0, f"{USER}|shop|t"), done.stderr
        refused = brewhaven(cloud, "local", "psql", "--instance", "no-such")
        assert refused.returncode == 1
        assert found["Id"] in refused.stderr


@pytest.fixture
def own_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud for a test that stops it."""
    settings = CloudSettings(home=tmp_path_factory.mktemp("own"), port=free_port_pair())
    lifecycle.up(settings)
    yield Cloud(settings, lifecycle.environment(settings))
    lifecycle.down(settings)


def test_data_is_kept_over_down_and_up_and_after_a_kill(own_cloud: Cloud) -> None:
    made = Stack(own_cloud)
    found = made.create({**network(), "Db": db_instance()}, **outputs())
    place = address(own_cloud, found)
    place.run("CREATE TABLE coffee (name text)")
    place.run("INSERT INTO coffee VALUES ('ristretto')")
    lifecycle.down(own_cloud.settings)
    assert not _processes_of(own_cloud)
    lifecycle.up(own_cloud.settings)
    assert wait_available(own_cloud, found["Id"]) == place
    assert place.run("SELECT name FROM coffee") == [["ristretto"]]

    place.run("INSERT INTO coffee VALUES ('lungo')")
    time.sleep(1.5)
    pid = lifecycle.running_pid(own_cloud.settings)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    lifecycle._reaped(pid)
    wait_until(lambda: not _processes_of(own_cloud))
    lifecycle.up(own_cloud.settings)
    wait_available(own_cloud, found["Id"])
    assert place.run("SELECT name FROM coffee ORDER BY name") == [["lungo"], ["ristretto"]]

    lifecycle.reset(own_cloud.settings)
    assert not _processes_of(own_cloud)
    assert not (own_cloud.settings.folder / "containers" / "databases").exists()


def _processes_of(cloud: Cloud) -> list[str]:
    listing = subprocess.run(["ps", "-eww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if f"{cloud.settings.folder}/containers/databases" in line]
