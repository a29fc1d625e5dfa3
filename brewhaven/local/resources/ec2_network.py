"""EC2 networking: standalone security group rules, elastic IPs, NAT gateways, network ACLs and flow logs."""

from __future__ import annotations

from typing import Any

from brewhaven.local.emulator import add_attributes, handler_error, new_id, query, succeed, truth
from brewhaven.local.registry import Created, Properties, correction, replace, resource

_NOT_FILTERED = "kept and answered by the API; only security groups decide who reaches whom here"


class _SecurityGroupRule:
    """One rule of a group's ``IpPermissions`` or ``IpPermissionsEgress``, under a rule id of its own."""

    store: str

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import ec2
        from ministack.services.cloudformation import provisioners

        group = ec2._security_groups.get(properties.get("GroupId", ""))
        if group is None:
            raise handler_error(
                f"The security group '{properties.get('GroupId')}' does not exist", "Ec2", 400, "NotFound"
            )
        [permission] = provisioners._ec2_sg_permissions([properties])
        for known in group.setdefault(self.store, []):
            if ec2._strip_descriptions(known) == ec2._strip_descriptions(permission):
                raise handler_error(
                    f"the specified rule already exists in {group['GroupId']}", "Ec2", 400, "AlreadyExists"
                )
        permission["SecurityGroupRuleId"] = new_id("sgr")
        group[self.store].append(permission)
        return permission["SecurityGroupRuleId"], {"Id": permission["SecurityGroupRuleId"]}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        """Only the description changes in place; every other property replaces the rule."""
        from ministack.services import ec2

        for rule in ec2._security_groups.get(new["GroupId"], {}).get(self.store, []):
            if rule.get("SecurityGroupRuleId") == physical_id:
                for ranges in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"):
                    for entry in rule.get(ranges, []):
                        entry["Description"] = new.get("Description", "")
        return physical_id, {"Id": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import ec2

        group = ec2._security_groups.get(properties.get("GroupId", ""))
        if group is not None:
            group[self.store] = [r for r in group[self.store] if r.get("SecurityGroupRuleId") != physical_id]


@resource(
    "AWS::EC2::SecurityGroupIngress",
    replaced_by=(
        "CidrIp", "CidrIpv6", "FromPort", "GroupId", "GroupName", "IpProtocol", "SourcePrefixListId",
        "SourceSecurityGroupId", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort",
    ),
)  # fmt: skip
class SecurityGroupIngress(_SecurityGroupRule):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-securitygroupingress.html"""

    store = "IpPermissions"


@resource(
    "AWS::EC2::SecurityGroupEgress",
    replaced_by=(
        "CidrIp", "CidrIpv6", "DestinationPrefixListId", "DestinationSecurityGroupId", "FromPort", "GroupId",
        "IpProtocol", "ToPort",
    ),
)  # fmt: skip
class SecurityGroupEgress(_SecurityGroupRule):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-securitygroupegress.html"""

    store = "IpPermissionsEgress"


@resource("AWS::EC2::EIP", tags="Tags", replaced_by=("Domain", "NetworkBorderGroup", "Address", "IpamPoolId"))
class ElasticIp:
    """``Ref`` is the address, ``AllocationId`` its id.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-eip.html
    """

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import ec2

        before = set(ec2._addresses)
        succeed("Ec2", ec2._allocate_address(query(Domain="vpc")))
        [allocation] = set(ec2._addresses) - before
        return self._apply(allocation, {}, properties)

    def _apply(self, allocation: str, old: Properties, new: Properties) -> Created:
        from ministack.services import ec2
        from ministack.services.cloudformation import provisioners

        record = ec2._addresses[allocation]
        if old.get("InstanceId") != new.get("InstanceId"):
            if record["AssociationId"]:
                ec2._disassociate_address(query(AssociationId=record["AssociationId"]))
            if new.get("InstanceId"):
                parameters = query(AllocationId=allocation, InstanceId=new["InstanceId"])
                succeed("Ec2", ec2._associate_address(parameters))
        provisioners._ec2_apply_tags(allocation, new, old)
        return record["PublicIp"], {"AllocationId": allocation, "PublicIp": record["PublicIp"]}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        return self._apply(_allocation_of(physical_id) or "", old, new)

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import ec2

        allocation = _allocation_of(physical_id)
        if allocation:
            succeed("Ec2", ec2._release_address(query(AllocationId=allocation)))


def _allocation_of(address: str) -> str | None:
    from ministack.services import ec2

    return next((key for key, record in ec2._addresses.items() if record["PublicIp"] == address), None)


@resource(
    "AWS::EC2::NatGateway",
    recorded="lets calls of AWS services out of the subnets that lead to it; what else is on the internet, programs "
    "reach as this machine does",
    tags="Tags",
    replaced_by=("AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId", "VpcId"),
)
class NatGateway:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-natgateway.html"""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import ec2
        from ministack.services.cloudformation import provisioners

        wanted = {key: properties.get(key) for key in ("SubnetId", "AllocationId", "ConnectivityType")}
        before = set(ec2._nat_gateways)
        succeed("Ec2", ec2._create_nat_gateway(query(**wanted)))
        [gateway] = set(ec2._nat_gateways) - before
        provisioners._ec2_apply_tags(gateway, properties)
        return gateway, {"NatGatewayId": gateway}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services.cloudformation import provisioners

        provisioners._ec2_apply_tags(physical_id, new, old)
        return physical_id, {"NatGatewayId": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import ec2

        succeed("Ec2", ec2._delete_nat_gateway(query(NatGatewayId=physical_id)), ignore=["NatGatewayNotFound"])


@resource("AWS::EC2::NetworkAcl", recorded=_NOT_FILTERED, tags="Tags", replaced_by=("VpcId",))
class NetworkAcl:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-networkacl.html"""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import ec2
        from ministack.services.cloudformation import provisioners

        before = set(ec2._network_acls)
        succeed("Ec2", ec2._create_network_acl(query(VpcId=properties["VpcId"])))
        [acl] = set(ec2._network_acls) - before
        provisioners._ec2_apply_tags(acl, properties)
        return acl, {"Id": acl}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services.cloudformation import provisioners

        provisioners._ec2_apply_tags(physical_id, new, old)
        return physical_id, {"Id": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import ec2

        answer = ec2._ACTION_MAP["DeleteNetworkAcl"](query(NetworkAclId=physical_id))
        succeed("Ec2", answer, ignore=["InvalidNetworkAclID.NotFound"])


@resource("AWS::EC2::NetworkAclEntry", recorded=_NOT_FILTERED, replaced_by=("NetworkAclId", "RuleNumber", "Egress"))
class NetworkAclEntry:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-networkaclentry.html"""

    def _parameters(self, properties: Properties) -> dict[str, list[str]]:
        return query(
            NetworkAclId=properties["NetworkAclId"],
            RuleNumber=properties["RuleNumber"],
            Egress=truth(properties.get("Egress")),
            Protocol=properties.get("Protocol"),
            RuleAction=properties.get("RuleAction"),
            CidrBlock=properties.get("CidrBlock"),
            Ipv6CidrBlock=properties.get("Ipv6CidrBlock"),
        )

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import ec2

        succeed("Ec2", ec2._create_network_acl_entry(self._parameters(properties)))
        direction = "egress" if truth(properties.get("Egress")) else "ingress"
        name = f"{properties['NetworkAclId']}|{properties['RuleNumber']}|{direction}"
        return name, {"Id": name}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services import ec2

        succeed("Ec2", ec2._replace_network_acl_entry(self._parameters(new)))
        return physical_id, {"Id": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import ec2

        answer = ec2._delete_network_acl_entry(self._parameters(properties))
        succeed("Ec2", answer, ignore=["InvalidNetworkAclID.NotFound"])


@resource("AWS::EC2::SubnetNetworkAclAssociation", recorded=_NOT_FILTERED, replaced_by=("SubnetId",))
class SubnetNetworkAclAssociation:
    """A subnet has one network ACL; without this association it is the VPC's default one.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-subnetnetworkaclassociation.html
    """

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import ec2

        association = {"NetworkAclAssociationId": new_id("aclassoc"), "SubnetId": properties["SubnetId"]}
        self.delete("", properties)
        ec2._network_acls[properties["NetworkAclId"]]["Associations"].append(association)
        return association["NetworkAclAssociationId"], association

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        return self.create("", new, stack_name)

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import ec2

        for acl in ec2._network_acls.values():
            acl["Associations"] = [
                known
                for known in acl["Associations"]
                if known["NetworkAclAssociationId"] != physical_id
                and (physical_id or known["SubnetId"] != properties["SubnetId"])
            ]


@resource(
    "AWS::EC2::FlowLog",
    recorded="kept and answered by the API; there are no packets to log, so its destination stays empty",
    tags="Tags",
    replaced_by=(
        "DeliverCrossAccountRole", "DeliverLogsPermissionArn", "DestinationOptions", "LogDestination",
        "LogDestinationType", "LogFormat", "LogGroupName", "MaxAggregationInterval", "ResourceId", "ResourceType",
        "TrafficType",
    ),
)  # fmt: skip
class FlowLog:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-flowlog.html"""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import ec2
        from ministack.services.cloudformation import provisioners

        wanted: dict[str, Any] = {
            key: properties.get(key)
            for key in ("ResourceType", "TrafficType", "LogDestinationType", "LogDestination", "LogGroupName")
        }
        before = set(ec2._flow_logs)
        succeed("Ec2", ec2._create_flow_logs(query(ResourceId=[properties["ResourceId"]], **wanted)))
        [flow_log] = set(ec2._flow_logs) - before
        provisioners._ec2_apply_tags(flow_log, properties)
        return flow_log, {"Id": flow_log}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services.cloudformation import provisioners

        provisioners._ec2_apply_tags(physical_id, new, old)
        return physical_id, {"Id": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import ec2

        ec2._delete_flow_logs(query(FlowLogId=[physical_id]))


@correction
def vpc_attributes() -> None:
    """A VPC and its parts answer every attribute of their references.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ec2-vpc.html#aws-resource-ec2-vpc-return-values
    """
    from ministack.services import ec2

    def vpc(physical_id: str, _properties: Properties) -> dict[str, Any]:
        record = ec2._vpcs[physical_id]
        return {"CidrBlock": record["CidrBlock"], "CidrBlockAssociations": [], "Ipv6CidrBlocks": []}

    def subnet(physical_id: str, _properties: Properties) -> dict[str, Any]:
        record = ec2._subnets[physical_id]
        acl = next(
            (key for key, acl in ec2._network_acls.items() if acl["VpcId"] == record["VpcId"] and acl.get("IsDefault")),
            "",
        )
        return {
            "AvailabilityZoneId": record["AvailabilityZoneId"],
            "CidrBlock": record["CidrBlock"],
            "Ipv6CidrBlocks": [],
            "NetworkAclAssociationId": f"aclassoc-{acl.removeprefix('acl-')}",
            "VpcId": record["VpcId"],
        }

    def security_group(physical_id: str, _properties: Properties) -> dict[str, Any]:
        return {"Id": physical_id}

    add_attributes("AWS::EC2::VPC", vpc)
    add_attributes("AWS::EC2::Subnet", subnet)
    add_attributes("AWS::EC2::SecurityGroup", security_group)
    add_attributes("AWS::EC2::VPCGatewayAttachment", lambda physical_id, _: {"AttachmentType": physical_id[:3]})
    add_attributes("AWS::EC2::SubnetRouteTableAssociation", lambda physical_id, _: {"Id": physical_id})
    add_attributes("AWS::EC2::Route", lambda _, properties: {"CidrBlock": properties.get("DestinationCidrBlock", "")})


@correction
def rules_match_without_descriptions() -> None:
    """Which rule a revoke means, its source and ports say, and not its description, also where the source is a group.

    The emulator compares the descriptions of groups, so that a revoke without one removes nothing and says True.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
    """
    from ministack.services import ec2

    def build(original: Any) -> Any:
        def bare(rule: dict[str, Any]) -> dict[str, Any]:
            found: dict[str, Any] = original(rule)
            for sources in ("UserIdGroupPairs", "PrefixListIds"):
                found[sources] = [
                    {key: value for key, value in source.items() if key != "Description"}
                    for source in found.get(sources) or []
                ]
            return found

        return bare

    replace(ec2, "_strip_descriptions", build)
