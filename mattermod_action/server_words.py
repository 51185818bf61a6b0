"""What is said about test servers: the one comment on each, and the warning before its time is over."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mattermod_action.server_reasons import told
from mattermod_action.servers import (
    DESTROYED,
    DESTROYING,
    EXPIRED,
    FAILED,
    READY,
    REFUSED,
    RELAUNCH,
    REQUESTED,
    RUNNING,
    WAITING_BUILD,
)
from mattermod_action.texts import addressed, harmless, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mattermod_action.servers import Row

STATES = {
    REQUESTED: "waits for its build",
    WAITING_BUILD: "waits for its build",
    READY: "**ready**",
    DESTROYING: "is being destroyed",
    DESTROYED: "destroyed",
    FAILED: "failed",
    REFUSED: "not launched",
}
LINK = 500  # characters of an address that are shown, as code: it is from a row
SET_UP = "is being set up"
AGAIN = "did not come up, and is launched once more"
HEAD = "\n\n| test server | {state} |\n| --- | --- |\n"
HOW = "\nKeep it longer: `/spinmint extend 24h`. End it: `/spinmint destroy`{label}."
OFF = ", or take the label {label} off"
NOW = "\nNot needed any more? `/spinmint destroy`{label}."
WARNING = "@USERNAME, the test server {link} ends at {until}. `/spinmint extend 24h` keeps it longer."
PASSWORDS = {
    "ssm": "[in the parameter](https://console.aws.amazon.com/systems-manager/parameters) `/{name}`",
    "secrets-manager": "[in the secret](https://console.aws.amazon.com/secretsmanager/listsecrets) `{name}`",
}
_WORD = re.compile(r"(?<![A-Za-z0-9_])(SPINMINT_LINK|INSTANCE_ID|INTERNAL_IP)(?![A-Za-z0-9_])")


def status(row: Row, messages: Mapping[str, str]) -> str:
    """The comment on a server: what the configuration has to say of its state, and a table of what is so."""
    rows = "".join(f"| {name} | {value} |\n" for name, value in _facts(row) if value)
    return f"{_message(row, messages)}{HEAD.format(state=_state(row))}{rows}{_how(row)}"


def warning(row: Row) -> str:
    text = WARNING.format(link=row.link, until=_moment(row.expires_at))
    return addressed(text, row.requested_by)


def _message(row: Row, messages: Mapping[str, str]) -> str:
    upgrade = "upgrade_" if row.order.upgrade else ""
    if row.state == READY:
        name = f"{upgrade}done"
    elif row.state in (FAILED, REFUSED):
        name = "failed"
    elif row.state == DESTROYED:
        name = "expired" if row.reason == EXPIRED else "destroyed"
    else:
        name = f"{upgrade}message"
    words = {"SPINMINT_LINK": row.link, "INSTANCE_ID": row.instance_id, "INTERNAL_IP": row.addresses.private}
    text = addressed(messages[name], row.order.author)
    return _WORD.sub(lambda found: words[found[1]] or found[1], text)


def _state(row: Row) -> str:
    if row.state == DESTROYING and row.reason == RELAUNCH:
        return AGAIN
    return STATES.get(row.state, SET_UP)


def _facts(row: Row) -> list[tuple[str, str]]:
    order, is_there = row.order, row.state in RUNNING
    reason = row.reason if row.state in (FAILED, REFUSED) else ""
    password = PASSWORDS[order.password_in].format(name=order.password) if is_there and order.password else ""
    return [
        ("why", harmless(told(reason, row.requested_by))),
        ("address", row.link if row.state == READY else ""),
        ("password", password),
        ("build", quoted(row.build_url, LINK) if row.build_url and order.build_by == "jenkins" else ""),
        ("commit", row.sha),
        ("asked for by", quoted(row.requested_by)),
        ("launched", f"{order.launched} UTC" if is_there else ""),
        ("ends", _moment(row.expires_at) if is_there else ""),
        ("instance", quoted(row.instance_id) if row.instance_id else ""),
    ]


def _how(row: Row) -> str:
    if not row.live or row.state == DESTROYING:
        return ""
    label = OFF.format(label=quoted(row.order.label)) if row.order.label else ""
    return (HOW if row.state in RUNNING else NOW).format(label=label)


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""
