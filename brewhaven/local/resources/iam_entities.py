"""IAM entities: groups, access keys, permission boundaries, and deletes that are refused while in use."""

from __future__ import annotations

import json
import logging
from typing import Any

from brewhaven.local.emulator import handler_error, query, succeed, wrap_action, wrap_handler
from brewhaven.local.registry import Created, Properties, correction, resource

logger = logging.getLogger("brewhaven.local.iam")
_SERVICE = "Iam"
_GONE = ("NoSuchEntity",)


def _document(policy: dict[str, Any]) -> str:
    document = policy.get("PolicyDocument", {})
    return document if isinstance(document, str) else json.dumps(document)


def _name(properties: Properties, key: str, stack_name: str, logical_id: str, longest: int) -> str:
    from ministack.services.cloudformation import provisioners

    return properties.get(key) or str(provisioners._physical_name(stack_name, logical_id, max_len=longest))


@resource("AWS::IAM::Group", replaced_by=("GroupName",))
class Group:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-iam-group.html"""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import iam

        name = _name(properties, "GroupName", stack_name, logical_id, 128)
        _check_attachable(properties)
        succeed(_SERVICE, iam._create_group(query(GroupName=name, Path=properties.get("Path"))))
        return self.update(name, {}, properties, stack_name)

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services import iam

        group = iam._groups[physical_id]
        before, after = set(old.get("ManagedPolicyArns") or []), set(new.get("ManagedPolicyArns") or [])
        for arn in before - after:
            iam.detach_managed_policy(group, arn)
        for arn in after - before:
            iam.attach_managed_policy(group, arn)
        inline = {policy["PolicyName"] for policy in new.get("Policies") or []}
        for policy in old.get("Policies") or []:
            if policy["PolicyName"] not in inline:
                iam._delete_group_policy(query(GroupName=physical_id, PolicyName=policy["PolicyName"]))
        for policy in new.get("Policies") or []:
            put = query(GroupName=physical_id, PolicyName=policy["PolicyName"], PolicyDocument=_document(policy))
            succeed(_SERVICE, iam._put_group_policy(put))
        return physical_id, {"Arn": group["Arn"]}

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import iam

        if physical_id in iam._groups:
            self.update(physical_id, properties, {}, "")
            succeed(_SERVICE, iam._IAM_HANDLERS["DeleteGroup"](query(GroupName=physical_id)), ignore=_GONE)


@resource("AWS::IAM::UserToGroupAddition", replaced_by=("GroupName",))
class UserToGroupAddition:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-iam-usertogroupaddition.html"""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import iam

        for user in properties["Users"]:
            succeed(_SERVICE, iam._add_user_to_group(query(GroupName=properties["GroupName"], UserName=user)))
        name = _name({}, "", stack_name, logical_id, 128)
        return name, {"Id": name}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services import iam

        for user in set(new["Users"]) - set(old["Users"]):
            succeed(_SERVICE, iam._add_user_to_group(query(GroupName=new["GroupName"], UserName=user)))
        self.delete(physical_id, {**old, "Users": sorted(set(old["Users"]) - set(new["Users"]))})
        return physical_id, {"Id": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import iam

        for user in properties["Users"]:
            answer = iam._remove_user_from_group(query(GroupName=properties["GroupName"], UserName=user))
            succeed(_SERVICE, answer, ignore=_GONE)


@resource("AWS::IAM::AccessKey", replaced_by=("UserName", "Serial"))
class AccessKey:
    """``Ref`` is the key's id, ``SecretAccessKey`` the secret.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-iam-accesskey.html
    """

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import iam

        before = set(iam._access_keys)
        succeed(_SERVICE, iam._create_access_key(query(UserName=properties["UserName"])))
        [key] = set(iam._access_keys) - before
        return self.update(key, {}, properties, stack_name)

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services import iam

        record = iam._access_keys[physical_id]
        record["Status"] = new.get("Status", "Active")
        return physical_id, {"SecretAccessKey": record["SecretAccessKey"]}

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import iam

        iam._access_keys.pop(physical_id, None)


@resource("AWS::IAM::InstanceProfile", replaced_by=("InstanceProfileName", "Path"))
class InstanceProfile:
    """``Ref`` is the name; the emulator answers the ARN.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-iam-instanceprofile.html
    """

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import iam

        name = _name(properties, "InstanceProfileName", stack_name, logical_id, 128)
        answer = iam._create_instance_profile(query(InstanceProfileName=name, Path=properties.get("Path", "/")))
        succeed(_SERVICE, answer)
        for role in properties.get("Roles", []):
            succeed(_SERVICE, iam._add_role_to_instance_profile(query(InstanceProfileName=name, RoleName=role)))
        return name, {"Arn": iam._instance_profiles[name]["Arn"]}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services import iam

        profile = iam._instance_profiles[physical_id]
        profile["Roles"] = list(new.get("Roles", []))
        return physical_id, {"Arn": profile["Arn"]}

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import iam

        profile = iam._instance_profiles.get(physical_id)
        if profile is not None:
            profile["Roles"] = [role for role in profile["Roles"] if role not in properties.get("Roles", [])]
            succeed(_SERVICE, iam._delete_instance_profile(query(InstanceProfileName=physical_id)), ignore=_GONE)


def _check_attachable(properties: Properties) -> None:
    """Refuse managed policies of the account that do not exist; say which of AWS's this cloud does not know."""
    from ministack.services import iam

    for arn in properties.get("ManagedPolicyArns") or []:
        if not arn or iam._policy_exists(arn):
            continue  # an empty list of a template's parameters arrives as one empty name
        if not iam._is_aws_managed_arn(arn):
            raise handler_error(f"Policy {arn} does not exist or is not attachable.", _SERVICE, 404, "NotFound")
        logger.warning("%s is not known to the local cloud: attached to a role or group it allows nothing", arn)


def _boundary(role_name: str, old: Properties, new: Properties) -> None:
    from ministack.services import iam

    if new.get("PermissionsBoundary"):
        put = query(RoleName=role_name, PermissionsBoundary=new["PermissionsBoundary"])
        succeed(_SERVICE, iam._put_role_permissions_boundary(put))
    elif old.get("PermissionsBoundary"):
        succeed(_SERVICE, iam._delete_role_permissions_boundary(query(RoleName=role_name)), ignore=_GONE)


@correction
def roles_keep_their_boundary_and_their_name() -> None:
    """A template's ``PermissionsBoundary`` limits the role, and a role name that is taken is refused.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-iam-role.html
    """
    from ministack.services import iam

    def create(original: Any) -> Any:
        def handler(logical_id: str, properties: Properties, stack_name: str) -> Created:
            name = properties.get("RoleName")
            if name and name in iam._roles:
                raise handler_error(f"Role with name {name} already exists.", _SERVICE, 409, "AlreadyExists")
            _check_attachable(properties)
            made: Created = original(logical_id, properties, stack_name)
            _boundary(made[0], {}, properties)
            return made

        return handler

    def update(original: Any) -> Any:
        def handler(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Created:
            _check_attachable(new)
            changed: Created = original(physical_id, old, new, *rest)
            _boundary(changed[0], old, new)
            return changed

        return handler

    wrap_handler("AWS::IAM::Role", "create", create)
    wrap_handler("AWS::IAM::Role", "update", update)


@correction
def entities_in_use_are_not_deleted() -> None:
    """A stack removes what its own template attached; what others attached ends the delete in DeleteConflict.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
    """
    from ministack.services import iam

    def conflict(sentence: str) -> Any:
        return iam._error(409, "DeleteConflict", f"Cannot delete entity, must {sentence} first.", ns="iam")

    def delete_role(original: Any) -> Any:
        def action(parameters: dict[str, Any]) -> Any:
            role = iam._roles.get(iam._p(parameters, "RoleName"))
            if role and role.get("InlinePolicies") and not role.get("AttachedPolicies"):
                return conflict("delete policies")
            if role and any(role["RoleName"] in p.get("Roles", []) for p in iam._instance_profiles.values()):
                return conflict("remove roles from instance profile")
            return original(parameters)

        return action

    def delete_user(original: Any) -> Any:
        def action(parameters: dict[str, Any]) -> Any:
            name = iam._p(parameters, "UserName")
            if iam._user_inline_policies.get(name):
                return conflict("delete policies")
            if any(name in group.get("Users", []) for group in iam._groups.values()):
                return conflict("remove users from group")
            return original(parameters)

        return action

    def delete_group(original: Any) -> Any:
        def action(parameters: dict[str, Any]) -> Any:
            name = iam._p(parameters, "GroupName")
            group = iam._groups.get(name, {})
            if group.get("Users"):
                return conflict("remove users from group")
            if group.get("AttachedPolicies"):
                return conflict("detach all policies")
            if iam._group_inline_policies.get(name):
                return conflict("delete policies")
            return original(parameters)

        return action

    wrap_action(iam, "_IAM_HANDLERS", "DeleteRole", delete_role)
    wrap_action(iam, "_IAM_HANDLERS", "DeleteUser", delete_user)
    wrap_action(iam, "_IAM_HANDLERS", "DeleteGroup", delete_group)
    wrap_handler("AWS::IAM::Role", "delete", lambda _: _delete_role)
    wrap_handler("AWS::IAM::User", "delete", lambda _: _delete_user)
    wrap_handler("AWS::IAM::ManagedPolicy", "delete", lambda _: _delete_managed_policy)


def _delete_role(physical_id: str, properties: Properties) -> None:
    from ministack.services import iam

    role = iam._roles.get(physical_id)
    if role is None:
        return
    for arn in properties.get("ManagedPolicyArns") or []:
        iam.detach_managed_policy(role, arn)
    for policy in properties.get("Policies") or []:
        role["InlinePolicies"].pop(policy.get("PolicyName", ""), None)
    succeed(_SERVICE, iam._IAM_HANDLERS["DeleteRole"](query(RoleName=physical_id)), ignore=_GONE)


def _delete_user(physical_id: str, properties: Properties) -> None:
    from ministack.services import iam

    user = iam._users.get(physical_id)
    if user is None:
        return
    for group in properties.get("Groups") or []:
        iam._remove_user_from_group(query(UserName=physical_id, GroupName=group))
    for arn in properties.get("ManagedPolicyArns") or []:
        iam.detach_managed_policy(user, arn)
    for policy in properties.get("Policies") or []:
        iam._delete_user_policy(query(UserName=physical_id, PolicyName=policy["PolicyName"]))
    iam._login_profiles.pop(physical_id, None)
    succeed(_SERVICE, iam._IAM_HANDLERS["DeleteUser"](query(UserName=physical_id)), ignore=_GONE)


def _delete_managed_policy(physical_id: str, properties: Properties) -> None:
    from ministack.services import iam

    for kind, store in (("Roles", iam._roles), ("Users", iam._users), ("Groups", iam._groups)):
        for name in properties.get(kind) or []:
            if name in store:
                iam.detach_managed_policy(store[name], physical_id)
    succeed(_SERVICE, iam._delete_policy(query(PolicyArn=physical_id)), ignore=_GONE)
