"""Who may do what: collaborators, members of an organisation, teams.

https://docs.github.com/en/rest/collaborators/collaborators, https://docs.github.com/en/rest/orgs/members
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import access, shapes
from sandbox.answers import Answer, answer, not_found
from sandbox.calls import paged

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.calls import Call
    from sandbox.records import Organisation

# `permission` knows three words only; `role_name` knows all.
PLAIN = {"maintain": "write", "triage": "read"}


def permission(call: Call) -> Answer:
    """Everybody may read what is public: https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user."""
    call.need("metadata=read")
    login = call.values["login"]
    if login.casefold() not in call.state.people:
        raise not_found(call.docs)
    person = call.state.person(login)
    name = call.repo.permissions.get(person.login, "none" if call.repo.private else "read")
    role = call.repo.role(person.login, name)
    rank = ("none", "read", "triage", "write", "maintain", "admin").index(role)
    levels = zip(("pull", "triage", "push", "maintain", "admin"), range(1, 6), strict=True)
    rights = {name: rank >= level for name, level in levels}
    user = {**(shapes.user(call.state, person) or {}), "permissions": rights, "role_name": name}
    return answer(200, {"permission": PLAIN.get(role, role), "user": user, "role_name": name})


def is_member(call: Call) -> Answer:
    """A token that may not read members is told so: GITHUB_TOKEN never may."""
    if call.values["login"] not in _organisation(call).members:
        raise not_found(call.docs)
    return Answer(204, b"")


def list_members(call: Call) -> Answer:
    members = sorted(_organisation(call).members)
    return paged(call, members, lambda login: shapes.user(call.state, call.state.person(login)))


def list_team(call: Call) -> Answer:
    """https://docs.github.com/en/rest/teams/members#list-team-members."""
    teams = _organisation(call).teams
    if call.values["team"] not in teams:
        raise not_found(call.docs)
    return paged(
        call, sorted(teams[call.values["team"]]), lambda login: shapes.user(call.state, call.state.person(login))
    )


def _organisation(call: Call) -> Organisation:
    access.require_of_organisation(call.token, ["members=read"], call.docs)
    found = call.state.organisations.get(call.values["org"])
    if found is None:
        raise not_found(call.docs)
    return found


TABLE: tuple[tuple[str, str, Callable[[Call], Answer], str], ...] = (
    (
        "GET",
        "/repos/{owner}/{name}/collaborators/{login}/permission",
        permission,
        "collaborators/collaborators#get-repository-permissions-for-a-user",
    ),
    ("GET", "/orgs/{org}/members", list_members, "orgs/members#list-organization-members"),
    ("GET", "/orgs/{org}/members/{login}", is_member, "orgs/members#check-organization-membership-for-a-user"),
    ("GET", "/orgs/{org}/teams/{team}/members", list_team, "teams/members#list-team-members"),
)
