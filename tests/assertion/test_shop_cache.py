"""ShopCache: one small Valkey, TLS, a user with what the shop needs, and nobody else."""

from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Match, Template

from brew_constructs.shop_cache import ShopCache
from brew_constructs.shop_network import ShopNetwork


@pytest.fixture(scope="module")
def cache(synthesize_alone: Callable[..., Template]) -> Template:
    def build(stack: Stack) -> None:
        vpc = ShopNetwork(stack, "ShopNetwork").vpc
        made = ShopCache(stack, "ShopCache", vpc=vpc, name="s01-brew-haven")
        made.admit(stack, "IntoCache", ec2.SecurityGroup(stack, "Client", vpc=vpc), "The shop")

    return synthesize_alone(build)


def user(template: Template, name: str) -> dict[str, Any]:
    (found,) = [
        one["Properties"]
        for one in template.find_resources("AWS::ElastiCache::User").values()
        if one["Properties"]["UserName"] == name
    ]
    return dict(found)


def test_it_is_one_small_node_of_valkey_8(cache: Template) -> None:
    cache.has_resource_properties(
        "AWS::ElastiCache::ReplicationGroup",
        {
            "Engine": "valkey",
            "EngineVersion": "8.0",
            "CacheNodeType": "cache.t4g.micro",
            "NumCacheClusters": 1,
            "AutomaticFailoverEnabled": False,
            "MultiAZEnabled": False,
            "SnapshotRetentionLimit": 0,
            "AutoMinorVersionUpgrade": True,
            "Port": 6379,
        },
    )


def test_it_is_encrypted_on_the_way_and_at_rest(cache: Template) -> None:
    cache.has_resource_properties(
        "AWS::ElastiCache::ReplicationGroup",
        {"TransitEncryptionEnabled": True, "TransitEncryptionMode": "required", "AtRestEncryptionEnabled": True},
    )


def test_the_shops_user_has_its_own_keys_and_no_dangerous_commands(cache: Template) -> None:
    rights = user(cache, "shop")["AccessString"].split()
    assert rights[0] == "on"
    assert [right for right in rights if right.startswith("~")] == ["~shop:*"]
    assert rights.index("-@all") < rights.index("+@read"), "everything is taken away first"
    assert rights[-1] == "-@dangerous", "and what is dangerous last"
    assert "resetchannels" in rights


def test_whoever_gives_no_name_is_nobody(cache: Template) -> None:
    assert user(cache, "default")["AccessString"] == "off ~* -@all"


def test_every_user_has_the_generated_password_which_stands_nowhere(cache: Template) -> None:
    cache.has_resource_properties(
        "AWS::SecretsManager::Secret",
        {
            "GenerateSecretString": {
                "ExcludePunctuation": True,
                "GenerateStringKey": "password",
                "PasswordLength": 64,
                "SecretStringTemplate": '{"username": "shop"}',
            },
            "SecretString": Match.absent(),
        },
    )
    (secret,) = cache.find_resources("AWS::SecretsManager::Secret")
    generated = {"Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": secret}, ":SecretString:password::}}"]]}
    for name in ("shop", "default"):
        assert user(cache, name)["AuthenticationMode"] == {"Type": "password", "Passwords": [generated]}


def test_the_cache_knows_the_shops_user_and_the_one_who_is_nobody_and_no_other(cache: Template) -> None:
    """ElastiCache wants a user called default in each group, and its own may do everything without a password."""
    (group,) = cache.find_resources("AWS::ElastiCache::UserGroup").values()
    users = cache.find_resources("AWS::ElastiCache::User")
    assert sorted(one["Ref"] for one in group["Properties"]["UserIds"]) == sorted(users)
    assert len(users) == 2


def test_names_begin_with_the_students(cache: Template) -> None:
    assert {user(cache, name)["UserId"] for name in ("shop", "default")} == {
        "s01-brew-haven-shop",
        "s01-brew-haven-default",
    }
    cache.has_resource_properties("AWS::ElastiCache::UserGroup", {"UserGroupId": "s01-brew-haven", "Engine": "valkey"})


def test_only_whom_it_admits_reaches_it_inside_the_network(cache: Template) -> None:
    subnets = next(iter(cache.find_resources("AWS::ElastiCache::SubnetGroup").values()))["Properties"]["SubnetIds"]
    assert all(subnet["Ref"].startswith("ShopNetworkVpcIsolated") for subnet in subnets)
    assert len(subnets) == 2, "a node that is replaced may come up in the other zone"
    (name,) = cache.find_resources("AWS::ElastiCache::SubnetGroup")
    cache.has_resource_properties("AWS::ElastiCache::ReplicationGroup", {"CacheSubnetGroupName": {"Ref": name}})
    (rule,) = cache.find_resources("AWS::EC2::SecurityGroupIngress").values()
    assert (rule["Properties"]["FromPort"], rule["Properties"]["ToPort"]) == (6379, 6379)
    assert rule["Properties"]["SourceSecurityGroupId"]["Fn::GetAtt"][0].startswith("Client")
    walls = cache.find_resources("AWS::EC2::SecurityGroup")
    (wall,) = [one["Properties"] for name, one in walls.items() if name.startswith("ShopCache")]
    assert "SecurityGroupIngress" not in wall
