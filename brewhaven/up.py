"""``brewhaven up``: from nothing to a shop that answers, on the local cloud."""

from __future__ import annotations

from brewhaven import accounts, console, deploy, processes, target
from brewhaven.deploy import Deployed, Request
from brewhaven.errors import UsageError
from brewhaven.local import lifecycle
from brewhaven.local.settings import HOST, CloudSettings


def start_local_cloud(settings: CloudSettings) -> None:
    """Start the local cloud where it does not run, and say so."""
    with console.step("Starting the local cloud") as step:
        started = lifecycle.up(settings)
        step.result(f"{HOST}:{settings.port}" if started else "ran already")


def stop_local_cloud(settings: CloudSettings) -> None:
    """Stop the local cloud, and see that none of the processes that it started is left."""
    with console.step("Stopping the local cloud") as step:
        pid = lifecycle.running_pid(settings)
        ours = processes.tree(pid) if pid else []
        if not lifecycle.down(settings):
            step.result("did not run")
            return
        ended = processes.see_them_end([process for process in ours if process.pid != pid])
        step.result(f"{ended} of {len(ours)} processes had to be ended" if ended else f"{len(ours)} processes ended")


def up(settings: CloudSettings, request: Request) -> tuple[Deployed, list[dict[str, str]]]:
    """Start the local cloud, bootstrap it, deploy, wait for the shop, and return it with its demo accounts.

    Raises:
        UsageError: AWS is the chosen cloud: `up` never touches an account.
    """
    if target.chosen(settings) == "aws":
        raise UsageError(
            "`up` is for the local cloud, and `brewhaven use aws` chose AWS.",
            f"Run `brewhaven deploy {request.place.phase.number}` for AWS, or `brewhaven use local` first.",
        )
    start_local_cloud(settings)
    cloud = target.local(settings)
    deploy.ensure_bootstrap(settings, cloud)
    deployed = deploy.deploy(settings, cloud, request)
    return deployed, accounts.demo_accounts(settings, cloud, request.stack_ids[0], deployed)
