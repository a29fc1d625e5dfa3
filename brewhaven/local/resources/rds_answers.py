"""RDS: what the API says of an instance beyond what the emulator says."""

from __future__ import annotations

import re
from typing import Any

from brewhaven.local.registry import correction, replace

# AWS leaves these out where there is nothing to say; empty lists stay.
_EMPTY = re.compile(
    r"<(DBName|DBClusterIdentifier|ReadReplicaSourceDBInstanceIdentifier|ReplicaMode|KmsKeyId|MonitoringRoleArn|"
    r"EnhancedMonitoringResourceArn)></\1>"
)


@correction
def instances_are_described_whole() -> None:
    """Log exports are listed, replication has a status, and what an instance has not is left out.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html
    """
    from ministack.services import rds

    def build(original: Any) -> Any:
        def render(record: dict[str, Any]) -> str:
            text = _EMPTY.sub("", str(original(record)))
            exports = "".join(f"<member>{name}</member>" for name in record.get("EnabledCloudwatchLogsExports") or [])
            text = text.replace(
                "<EnabledCloudwatchLogsExports/>",
                f"<EnabledCloudwatchLogsExports>{exports}</EnabledCloudwatchLogsExports>",
            )
            if not record.get("ReadReplicaSourceDBInstanceIdentifier") or "_port" not in record:
                return text
            status = "replicating" if record["DBInstanceStatus"] == "available" else "stopped"
            info = (
                "<DBInstanceStatusInfo><StatusType>read replication</StatusType>"
                f"<Normal>{str(status == 'replicating').lower()}</Normal><Status>{status}</Status>"
                "</DBInstanceStatusInfo>"
            )
            return text.replace("<StatusInfos/>", f"<StatusInfos>{info}</StatusInfos>")

        return render

    replace(rds, "_instance_xml", build)
