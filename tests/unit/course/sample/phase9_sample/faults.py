"""Faults of the sample phase: one of each kind."""

from brewhaven.course.cloud import Deployment
from brewhaven.course.faults import Explanation, FaultList, Plan, call
from brewhaven.course.template import Template

FAULTS = FaultList()

EXPLANATION = Explanation(
    cause="Somebody did it", found_by="By looking", prevention="Care", page="https://docs.aws.amazon.com/cups.html"
)

no_cups = FAULTS.fault(
    "no-cups",
    lesson="9.1",
    check="one-bucket",
    symptom="A guest: *where are the cups?*",
    hints=("Look", "Look at the stack", "Look at its outputs"),
    explanation=EXPLANATION,
    repair="true\n",
)


@no_cups.on_template
def _(template: Template) -> None:
    del template.body["Outputs"]["Bucket"]


@no_cups.noticed
def _(cloud: Deployment) -> str | None:
    return None if "Bucket" in cloud.outputs else "no cups"


hidden_cups = FAULTS.fault(
    "hidden-cups",
    lesson="9.1",
    check="one-bucket",
    symptom="A guest: *there are no cups on the shelf*",
    hints=("Look", "Look under the cloth", "Take the cloth away"),
    explanation=EXPLANATION,
    repair="true\n",
)


@hidden_cups.out_of_band
def _(cloud: Deployment) -> Plan:
    (shelf,) = cloud.resources("AWS::S3::Bucket")
    cloth = {"Shelf": shelf.physical_id, "Name": "cloth"}
    return Plan(
        do=[call("cups", "put", **cloth), call("cups", "hide", Shelf=shelf.physical_id)],
        undo=[call("cups", "show", Shelf=shelf.physical_id)],
        tidy=[call("cups", "remove", **cloth, unless=["NoSuchThing"])],
        makes=("cloth",),
    )


@hidden_cups.noticed
def _(cloud: Deployment) -> str | None:
    return None if "Bucket" in cloud.outputs else "no cups"
