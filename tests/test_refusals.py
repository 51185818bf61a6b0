"""What a setting, a permission or another token cures, and that each refusal says so: GitHub's words to ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mattermod_action import refusals
from mattermod_action.adapters.git_process import Done, GitProcess
from mattermod_action.errors import Mistake, Refused
from mattermod_action.events import Repository

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = "Settings →"
# GitHub's words, as public reports have them; what the line names; and whether the run goes on with other targets.
ROWS = [
    (
        "GitHub Actions is not permitted to create or approve pull requests.",
        ("Allow GitHub Actions to create and approve pull requests", f"{SETTINGS} Actions → General", "organisation"),
        (Refused, Mistake),
    ),
    ("GitHub Actions is not permitted to approve pull requests.", ("Workflow permissions",), (Refused, Mistake)),
    (
        (
            "refusing to allow a GitHub App to create or update workflow `.github/workflows/x.yml` without `workflows` "
            "permission"
        ),
        ("`workflows: write`", "GITHUB_TOKEN cannot"),
        (Refused,),
    ),
    (
        (
            "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/x.yml` without "
            "`workflow` scope"
        ),
        ("the scope `workflow`",),
        (Refused,),
    ),
    (
        (
            "refusing to allow a GitHub App to create or update workflow .github/workflows/x.yml without workflows "
            "permission"
        ),
        ("`workflows: write`",),
        (Refused,),
    ),
    (
        "Could not resolve to a node with the global id of 'T_kwDOAAWW-c4ATMYo'.",
        ("`org-token`", "`members: read`", "GITHUB_TOKEN never can"),
        (Refused,),
    ),
    ("Could not resolve to a node with the global id of 'MDQ6VGVhbTQxMDAz'.", ("`org-token`",), (Refused,)),
    (
        (
            "Reviews may only be requested from collaborators. One or more of the teams you specified is not a "
            "collaborator of the octo-org/hello repository."
        ),
        (f"{SETTINGS} Collaborators and teams",),
        (Refused,),
    ),
    ("Pull request Auto merge is not allowed for this repository", ("Allow auto-merge", SETTINGS), (Refused,)),
    ("Auto-merge is not allowed for this repository", ("Allow auto-merge", SETTINGS), (Refused,)),
    ("Pull request Pull request is in clean status", ("merge it",), (Refused,)),
    ("Pull request Pull request is in unstable status", ("not required", SETTINGS), (Refused,)),
    ("Pull request Protected branch rules not configured for this branch", (SETTINGS,), (Refused,)),
    ("Squash merges are not allowed on this repository.", (f"{SETTINGS} General → Pull Requests",), (Refused,)),
    ("Draft pull requests are not supported in this repository.", ("`conflicts: comment`",), (Refused,)),
    ("GH006: Protected branch update failed for refs/heads/x.", (f"{SETTINGS} Rules → Rulesets",), (Refused,)),
    ("GH013: Repository rule violations found for refs/heads/x.", ("bypass list",), (Refused,)),
    ("This repository was archived so it is read-only.", (f"{SETTINGS} General → Danger Zone",), (Refused,)),
    ("The 'octo-org' organization has enabled or enforced SAML SSO.", ("Configure SSO",), (Mistake,)),
    ("Repository was archived so is read-only.", (f"{SETTINGS} General → Danger Zone",), (Refused,)),
    ("Cannot trigger a 'workflow_dispatch' on a disabled workflow", ("Enable workflow",), (Refused,)),
    ("user doesn't have permission to update head repository", ("NEEDED",), (Mistake,)),
    ("Resource not accessible by personal access token", ("NEEDED", "Personal access tokens"), (Mistake,)),
    (
        (
            "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to "
            "this organization."
        ),
        ("Configure SSO",),
        (Mistake,),
    ),
    (
        (
            "Although you appear to have the correct authorization credentials, the `octo-org` organization has an IP "
            "allow list enabled, and your IP address is not permitted to access this resource."
        ),
        (f"{SETTINGS} Authentication security → IP allow list",),
        (Mistake,),
    ),
]


@pytest.mark.parametrize(("said", "names", "kinds"), ROWS, ids=[said[:40] for said, *_ in ROWS])
def test_a_refusal_names_its_cure(said: str, names: tuple[str, ...], kinds: tuple[type[Exception], ...]) -> None:
    known = refusals.find(said)
    assert known
    error = known.error("do it", 403, said, "cherry-pick-token", "NEEDED")
    line = str(error)
    assert line.startswith(f"GitHub refused to do it (403): {said.rstrip('.')}. ")
    assert [name for name in names if name not in line] == []
    assert [kind for kind in (Refused, Mistake) if isinstance(error, kind)] == [*kinds]
    assert "\n" not in line
    assert not re.search(r"[{}]", line)


def test_each_row_of_the_table_is_tried() -> None:
    assert {id(refusals.find(said)) for said, *_ in ROWS} == {id(known) for known in refusals.TABLE}


@pytest.mark.parametrize(
    "said",
    [
        "Could not resolve to a node with the global id of 'PR_kwDO'",
        "Could not resolve to a PullRequest with the number of 9.",
        "Validation Failed",
        "Resource not accessible by integration",
        "A pull request already exists for octo-org:topic.",
        "No commits between main and topic",
        "Pull Request is not mergeable",
    ],
)
def test_other_words_are_left_as_they_are(said: str) -> None:
    assert refusals.find(said) is None


# What git prints with "error: 403", and what the line names instead of the job's permissions.
GIT = {
    "remote: This repository was archived so it is read-only.": "Danger Zone",
    "remote: The 'octo-org' organization has enabled or enforced SAML SSO.": "Configure SSO",
    "remote: The repository owner has an IP allow list enabled, and 192.0.2.1 is not permitted": "IP allow list",
    "remote: Permission to octo-org/hello.git denied to github-actions[bot].": "give the job `contents: write`",
}


@pytest.mark.parametrize("said", GIT)
def test_a_403_of_git_names_its_own_cure(said: str, tmp_path: Path) -> None:
    git = GitProcess(tmp_path, "https://github.example", Repository(1, "octo-org", "hello"), "token")
    err = f"{said}\nfatal: unable to access 'https://github.example/': The requested URL returned error: 403\n"
    with pytest.raises(Mistake) as caught:
        git.fail("push to", Done(128, b"", err), remote=True)
    assert GIT[said] in str(caught.value)
    assert ("`contents: write`" in str(caught.value)) is ("denied" in said)
