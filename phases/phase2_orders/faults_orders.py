"""Faults of lessons 2.1 to 2.4: the database, the way the shop goes, and the cache."""

from __future__ import annotations

import json

from brewhaven.course.cloud import Deployment, ask
from brewhaven.course.faults import Call, Explanation, FaultList, Plan, call
from brewhaven.course.template import Template
from phases.phase1_foundation.faults_hosting import DEPLOY_YOUR_CODE
from phases.phase1_foundation.probes import shop_url
from phases.phase2_orders.checks_database import ask_without_tls, instance_of
from phases.phase2_orders.probes import foundation

FAULTS = FaultList()

ONE_ORDER = ("subscribers-hear", "event-once", "batch-partial", "metrics-arrive", "cold-start-measured")
"""Checks that wait for an order to come through all of the pipeline."""


def readiness(cloud: Deployment) -> dict[str, str]:
    """What the shop says at `/ready` of each thing that it uses."""
    found: dict[str, str] = ask(f"{shop_url(foundation(cloud))}/ready", timeout=30).json()["checks"]
    return found


# 2.1 A database for orders

anyone_could_listen = FAULTS.fault(
    "anyone-could-listen",
    lesson="2.1",
    check="tls-forced",
    symptom='The auditor, on her yearly visit: *"I have opened the sales with the old reporting program, the one '
    "without the little lock. In spring it was turned away at the door, and I wrote down that this is good. Today it "
    'was asked for its password, and sent it, for everybody on the line to read. Who has allowed that?"*',
    hints=(
        "Nobody was forced to come without a lock before, and nobody else comes without one now: programs of the shop "
        "choose it themselves. So what has changed is what the other side *demands*. Where does lesson 2.1 say that "
        "PostgreSQL takes TLS or nothing?",
        "It is a parameter of the database, and not of its clients. `aws rds describe-db-instances "
        "--db-instance-identifier <DatabaseInstanceId> --query 'DBInstances[0].DBParameterGroups'` names the group, "
        "`aws rds describe-db-parameters --db-parameter-group-name <that> --source user` what was set in it.",
        "`rds.force_ssl` is 0, and the code of `OrderDatabase` says 1. Somebody changed it by hand, so the template is "
        "as it was and deploying changes nothing: set it again with `aws rds modify-db-parameter-group`. It counts at "
        "once, without a restart.",
    ),
    explanation=Explanation(
        cause="Somebody wanted to run a report with a program that cannot do TLS, found the parameter that stood in "
        "the way, and set it to 0 'until the report is done'. Everything went on, because whoever uses TLS goes on "
        "using it: a door that is not locked looks like one that is.",
        found_by="`aws rds describe-db-parameters --source user`, beside the code. In the database itself, `select "
        "usename, ssl from pg_stat_ssl join pg_stat_activity using (pid)` shows who is connected without. On AWS, "
        "CloudTrail has the `ModifyDBParameterGroup`.",
        prevention="A check that knocks without TLS and wants to be refused, as `tls-forced` does: to read a setting "
        "is good, to try it is better. AWS Config has the rule `rds-postgres-instance-encrypted-in-transit` for it.",
        page="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html",
    ),
    repair="""\
GROUP=$(aws rds describe-db-instances --db-instance-identifier "$(output DatabaseInstanceId)" --output text \\
  --query 'DBInstances[0].DBParameterGroups[0].DBParameterGroupName')
aws rds modify-db-parameter-group --db-parameter-group-name "$GROUP" --output text \\
  --parameters ParameterName=rds.force_ssl,ParameterValue=1,ApplyMethod=immediate
""",
)


@anyone_could_listen.out_of_band
def _(cloud: Deployment) -> Plan:
    (group,) = instance_of(cloud)["DBParameterGroups"]

    def forced(value: str) -> Call:
        parameter = {"ParameterName": "rds.force_ssl", "ParameterValue": value, "ApplyMethod": "immediate"}
        return call(
            "rds",
            "modify_db_parameter_group",
            DBParameterGroupName=group["DBParameterGroupName"],
            Parameters=[parameter],
        )

    return Plan(do=[forced("0")], undo=[forced("1")])


@anyone_could_listen.noticed
def _(cloud: Deployment) -> str | None:
    port = int(instance_of(cloud)["Endpoint"]["Port"])
    said = ask_without_tls(cloud.outputs["DatabaseHost"], port)
    return "without TLS the database asks for the password" if said and said.startswith("R") else None


# 2.2 The shop's orders move

order_not_found = FAULTS.fault(
    "order-not-found",
    lesson="2.2",
    check="orders-moved",
    # With another parameter copies rest for a quarter of a minute, so these may say that there is none.
    may_fail=(*ONE_ORDER, "menu-cached", "session-survives"),
    symptom='A guest: *"At half past nine I paid for two cappuccinos. I look at my order, and the page says that there '
    'is none. But I have its number here, and you have my money!"* The barista: *"My board was full a minute ago. Now '
    'there are only the newest on it."* Orders that come in now are taken and found as ever.',
    hints=(
        "The order was taken and paid, so it is somewhere. Since lesson 2.2 there are two places where the shop can "
        "look for orders. Look into both: into the database (on the local cloud `brewhaven local psql -c 'select id, "
        "status from orders order by created_at desc limit 5'`), and for one that was placed just now into the table "
        "of phase 1 with `aws dynamodb query`.",
        "The shop looks into the other place, and it does what it is told. It writes down each time when it is told "
        "something new: `aws logs filter-log-events --log-group-name <StorefrontLogGroupName> --filter-pattern "
        "'\"now says\"' --query 'events[-3:].message'`. Who tells it, and where?",
        '`aws ssm get-parameter --name <ShopConfigParameter> --query Parameter.Value --output text` says `"orders": '
        '"dynamodb"`, and `aws ssm get-parameter-history` what it said before. Somebody changed it by hand: put it '
        "back with `aws ssm put-parameter --overwrite`. To deploy does nothing, because the template never changed.",
    ),
    explanation=Explanation(
        cause="A colleague wanted to see whether a mistake was there 'the old way', too, switched the shop over by "
        "hand for a minute, and was called to the telephone. The shop rereads the parameter every few seconds and "
        "followed: it opened the old order book again. What was ordered in PostgreSQL is all there, and nobody looks. "
        "What was ordered meanwhile is in DynamoDB, and is carried over when the shop comes back.",
        found_by="The shop's log: *now says: orders dynamodb*, and *orders live in the table again; what was ordered "
        "in PostgreSQL meanwhile is not in it*. `aws ssm get-parameter-history` has every version, who wrote it and "
        "when. `/ready` speaks no more of orders.",
        prevention="Who may call `ssm:PutParameter` on this path is a decision: whoever deploys, and nobody at a desk. "
        "What one wants to try out, one tries in a stack of one's own (`--student`). And a switch that moves data "
        "deserves an alarm on whoever touches it.",
        page="https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html",
    ),
    repair="""\
NAME=$(output ShopConfigParameter)
mkdir -p .brewhaven/lab
aws ssm get-parameter --name "$NAME" --query Parameter.Value --output text > .brewhaven/lab/switch.json
python - <<'END'
import json, pathlib
file = pathlib.Path(".brewhaven/lab/switch.json")
file.write_text(json.dumps({**json.loads(file.read_text()), "orders": "postgresql"}))
END
aws ssm put-parameter --name "$NAME" --overwrite --value file://.brewhaven/lab/switch.json --query Version
""",
)


@order_not_found.out_of_band
def _(cloud: Deployment) -> Plan:
    name, ssm = cloud.outputs["ShopConfigParameter"], cloud.client("ssm")
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    after = json.dumps({**json.loads(before), "orders": "dynamodb"})

    def say(value: str) -> Call:
        return call("ssm", "put_parameter", Name=name, Value=value, Overwrite=True)

    return Plan(do=[say(after)], undo=[say(before)])


@order_not_found.noticed
def _(cloud: Deployment) -> str | None:
    uses = readiness(cloud)
    return None if "orders" in uses else f"/ready speaks of {', '.join(uses)}, and of no order book any more"


# 2.4 A cache for sessions and the menu

slow_as_in_spring = FAULTS.fault(
    "slow-as-in-spring",
    lesson="2.4",
    check="session-survives",
    may_fail=("menu-cached",),
    symptom='The manager: *"At lunch it took as long until the menu was there as it did in spring, before you improved '
    "it. Nothing is lost, nobody was signed out, orders come through. But the page with the lamps that I have open on "
    'my telephone, `/ready`, has a remark to make, and our bill for reading goes up."*',
    hints=(
        "Nothing is broken, it is only slow. So something is missing that the shop can do without (lesson 2.4). Read "
        "`/ready`: it names what the shop uses, and its remark is on one of them.",
        "Is it gone, is the way to it closed, or is the shop not let in? The shop writes down what it was answered: "
        "`aws logs filter-log-events --log-group-name <StorefrontLogGroupName> --filter-pattern Valkey --query "
        "'events[-3:].message'`. It got an answer, so it is there and the way is open. What is it that is refused?",
        "The user `shop` may sign in, and may touch no key: `aws elasticache describe-users --query "
        "'Users[].[UserName,AccessString]'` says `~shop`, and every key of the shop begins with `shop:`. The code of "
        "`ShopCache` has `~shop:*`. Somebody deployed other code: `cdk diff`, then deploy yours.",
    ),
    explanation=Explanation(
        cause="A rule of a review tool said 'no wildcards in access rules', so somebody took `:*` out of `~shop:*` and "
        "deployed. `~shop` is one key of that name. No key of the shop is called so, and so its user may sign in and "
        "is refused everything. The shop does what it always does when the cache is of no use: it goes on without, "
        "and reads every session and every menu from the table again.",
        found_by="The remark at `/ready`, and in the shop's log the words of the cache itself: *No permissions "
        "to access a key*. On AWS, the metric `KeyAuthorizationErrors` climbs while `CacheHits` "
        "falls to zero, and connections stay. `cdk diff` shows the two strings.",
        prevention="A wildcard that ends at a prefix is a narrow one: say so beside it, as `ShopCache` does. And since "
        "nobody is hurt when a cache is of no use, somebody has to look: an alarm on `KeyAuthorizationErrors`, of "
        "which one is one too many.",
        page="https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html",
    ),
    repair=DEPLOY_YOUR_CODE,
)


@slow_as_in_spring.on_template
def _(template: Template) -> None:
    (user,) = template.resources("AWS::ElastiCache::User", of="ShopCacheShopUser")
    user.properties["AccessString"] = user.properties["AccessString"].replace("~shop:*", "~shop")


@slow_as_in_spring.noticed
def _(cloud: Deployment) -> str | None:
    said = readiness(cloud).get("cache")
    return None if said == "ok" else f"/ready says of the cache: {said}"
