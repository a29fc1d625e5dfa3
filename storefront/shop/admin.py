"""Staff accounts, from a terminal: nobody becomes staff through the shop's pages.

    python -m shop.admin create-staff --email grace@example.org --role manager --name Grace --password-stdin
    python -m shop.admin list-staff [--json]

The password is read from standard input, so that it stands in no shell history and no process list.  Needs the same
environment as the shop.
"""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence

from shop.domain.customers import STAFF, Role, checked_email
from shop.domain.errors import ShopError
from shop.domain.ids import to_text
from shop.services import Services
from shop.settings import Settings, SettingsError
from shop.wiring import build


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.  0 done, 1 refused (with a sentence on standard error), 2 a wrong command line."""
    parser = argparse.ArgumentParser(prog="python -m shop.admin", description="Staff accounts of the shop.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    create = commands.add_parser("create-staff", help="add a barista or manager")
    create.add_argument("--email", required=True)
    create.add_argument("--role", required=True, choices=sorted(role.value for role in STAFF))
    create.add_argument("--name", help="how the shop greets them (default: the part before the @)")
    create.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    create.add_argument("--if-missing", action="store_true", help="leave an account that is there as it is")
    create.set_defaults(run=_create_staff)
    show = commands.add_parser("list-staff", help="list who is staff")
    show.add_argument("--json", action="store_true", help="for programs")
    show.set_defaults(run=_list_staff)
    options = parser.parse_args(arguments)
    try:
        options.run(build(Settings.from_environment(os.environ)), options)
    except (SettingsError, ShopError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _create_staff(services: Services, options: argparse.Namespace) -> None:
    password = sys.stdin.readline().rstrip("\n") if options.password_stdin else getpass.getpass("Password: ")
    if options.if_missing and services.people.by_email(checked_email(options.email)):
        print(f"{options.email} has an account already; it is left as it is.")
        return
    name = options.name or options.email.split("@")[0][:60]
    person = services.accounts.register(name=name, email=options.email, password=password, role=Role(options.role))
    print(f"{person.email} is now {person.role.value} ({person.id}).")


def _list_staff(services: Services, options: argparse.Namespace) -> None:
    people = [
        {"email": p.email, "name": p.name, "role": p.role.value, "id": p.id, "since": to_text(p.created_at)}
        for p in services.people.staff()
    ]
    if options.json:
        print(json.dumps(people, indent=2, ensure_ascii=False))
        return
    for person in people:
        print(f"{person['role']:8} {person['email']} ({person['name']})")
    if not people:
        print("Nobody yet: python -m shop.admin create-staff --help")


if __name__ == "__main__":
    sys.exit(main())
