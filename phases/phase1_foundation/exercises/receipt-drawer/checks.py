"""The drawer is private, its grant narrow, and its tests notice when either is lost."""

from typing import Any

from brewhaven.course.checks import CheckList, expect, listed, statements
from brewhaven.course.template import Template
from brewhaven.exercises.workshop import Work

CHECKS = CheckList()
CODE = "ReceiptDrawer in your exercise.py"
TESTS = "your test_exercise.py"

_private = CHECKS.check(
    "private-drawer",
    lesson="1.7",
    objective="s3-private-hosting",
    proves="Nobody reads the drawer from outside, and nobody in clear text",
)
_files = CHECKS.check(
    "files-and-no-more", lesson="1.7", objective="iam-least-privilege", proves="The till puts receipts, and no more"
)
_pass = CHECKS.check(
    "tests-pass", lesson="1.7", objective="iam-least-privilege", proves="Your tests pass on your construct"
)
_notice = CHECKS.check(
    "tests-notice", lesson="1.7", objective="iam-least-privilege", proves="Your tests notice each of the five breaks"
)


def _probed(template: Template) -> dict[str, Any]:
    assert isinstance(template, Work)
    return template.probed


@_private.on_template
def _(template: Template) -> str:
    buckets = template.resources("AWS::S3::Bucket", of="Drawer")
    expect(buckets, "there is no bucket in the drawer", where=CODE, next_step="make an s3.Bucket in the constructor")
    properties = buckets[0].properties
    blocked = properties.get("PublicAccessBlockConfiguration", {})
    open_doors = []
    if len([name for name, value in blocked.items() if value is True]) < 4:
        open_doors.append("it does not block all public access")
    if "BucketEncryption" not in properties:
        open_doors.append("it does not say how it is encrypted")
    policies = [p.properties["PolicyDocument"] for p in template.resources("AWS::S3::BucketPolicy", of="Drawer")]
    refusing = [
        s
        for policy in policies
        for s in statements(policy)
        if s["Effect"] == "Deny" and s.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
    ]
    if not refusing:
        open_doors.append("it can be read over plain HTTP")
    expect(
        not open_doors,
        f"the bucket is not yet private: {'; '.join(open_doors)}",
        where=CODE,
        next_step="three arguments of s3.Bucket: block_public_access, encryption, enforce_ssl",
    )
    return "blocked, encrypted, TLS only"


@_files.on_template
def _(template: Template) -> str:
    found = [
        (action, resource)
        for policy in template.resources("AWS::IAM::Policy", of="Till")
        for statement in statements(policy.properties["PolicyDocument"])
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]
    expect(
        any(action == "s3:PutObject" for action, _ in found),
        "grant_filing does not allow the role s3:PutObject",
        where=CODE,
        next_step="add a grant to the role in grant_filing",
    )
    more = sorted({action for action, _ in found if action != "s3:PutObject"})
    expect(
        not more,
        f"grant_filing also allows {', '.join(more)}",
        where=CODE,
        next_step="name the one action with iam.Grant.add_to_principal",
    )
    wide = [resource for _, resource in found if "/receipts/*" not in str(resource)]
    expect(
        not wide,
        "grant_filing reaches more of the bucket than receipts/",
        where=CODE,
        next_step="bucket.arn_for_objects('receipts/*') names what is below receipts/",
    )
    return "s3:PutObject on receipts/*"


@_pass.on_template
def _(template: Template) -> str:
    probed = _probed(template)
    expect(probed["tests"], "there are no tests", where=TESTS, next_step="write functions test_...(template)")
    failing = [f"{name}: {said}" for name, said in probed["failing"].items()]
    expect(
        not failing,
        f"{len(failing)} of {probed['tests']} tests fail on your own construct: {'; '.join(failing)[:300]}",
        where=TESTS,
        next_step="decide which of the two is wrong, the construct or the test",
    )
    return f"{probed['tests']} tests"


@_notice.on_template
def _(template: Template) -> str:
    probed = _probed(template)
    unnoticed, untried = probed["unnoticed"], probed["untried"]
    expect(
        not unnoticed,
        f"no test fails, so nobody would notice, when {'; when '.join(unnoticed)}: your test suite does not notice "
        f"{len(unnoticed)} of {5 - len(untried)} breaks",
        where=TESTS,
        next_step="ask the template for that very property; a count of resources says nothing about them",
    )
    expect(
        not untried,
        f"it could not be tried whether your tests notice when {'; when '.join(untried)}: your construct does not keep "
        "that promise yet, so there is nothing to break",
        where=CODE,
        next_step="mend the construct first; the checks above say where",
    )
    return "all five"
