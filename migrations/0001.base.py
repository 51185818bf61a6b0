"""The original's first version: what is known of pull requests, issues and test servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mattermod_action.adapters.schema import create_table, drop_table

if TYPE_CHECKING:
    from yoyo import step

__depends__: set[str] = set()
__transactional__ = False

PULL_REQUESTS = {
    "RepoOwner": "varchar(128) NOT NULL",
    "RepoName": "varchar(128) NOT NULL",
    "FullName": "varchar(2083) DEFAULT NULL",
    "Number": "int NOT NULL",
    "Username": "varchar(128) DEFAULT NULL",
    "Ref": "varchar(128) DEFAULT NULL",
    "Sha": "varchar(48) DEFAULT NULL",
    "Labels": "text",
    "State": "varchar(8) DEFAULT NULL",
    "BuildStatus": "varchar(8) DEFAULT NULL",
    "BuildConclusion": "varchar(20) DEFAULT NULL",
    "BuildLink": "text",
    "URL": "varchar(2083) DEFAULT NULL",
    "CreatedAt": "timestamp NULL DEFAULT NULL",
    "MaintainerCanModify": "tinyint(1) DEFAULT NULL",
    "Merged": "tinyint(1) DEFAULT NULL",
}
ISSUES = {
    "RepoOwner": "varchar(128) NOT NULL",
    "RepoName": "varchar(128) NOT NULL",
    "Number": "int NOT NULL",
    "Username": "varchar(128) DEFAULT NULL",
    "State": "varchar(8) DEFAULT NULL",
    "Labels": "text",
}
SPINMINT = {
    "InstanceId": "varchar(128) NOT NULL",
    "RepoOwner": "varchar(255) DEFAULT NULL",
    "RepoName": "varchar(255) DEFAULT NULL",
    "Number": "int DEFAULT NULL",
    "CreatedAt": "bigint DEFAULT NULL",
}
ITEM = ("RepoOwner", "RepoName", "Number")

steps = [
    step(create_table("PullRequests", PULL_REQUESTS, ITEM), drop_table("PullRequests")),
    step(create_table("Issues", ISSUES, ITEM), drop_table("Issues")),
    step(
        create_table("Spinmint", SPINMINT, ("InstanceId",)),
        drop_table("Spinmint", forbidden="each is a test server that is alive: destroy them first"),
    ),
]
