"""Refusals that a setting, a permission or another token cures: GitHub's words, and the cure that is shown beside them.

One table for REST, GraphQL and git. A refusal that is not here is shown in GitHub's words alone.
Each cure names the setting and its path in the settings. `docs/tokens.md` says which token can do what.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mattermod_action.errors import MattermodError, Mistake, Refused, SettingOff

PAGE = "see docs/tokens.md"
APP = "a token of an App or of a person"


@dataclass(frozen=True, slots=True)
class Known:
    """GitHub's words, the cure, and who has to act: `kind` decides how the run goes on.

    A `Refused` concerns one target, and the others go on. A `SettingOff` does too, and the run is red (exit 2).
    A `Mistake` would meet every further call with this token, so the run stops.
    """

    said: str
    cure: str
    kind: type[MattermodError] = Refused

    def error(self, what: str, status: int, reason: str, token: str, permission: str) -> MattermodError:
        """Say what was refused, in whose words, and the cure. `token` is the input that was used."""
        cure = self.cure.format(token=f"`{token}`", permission=permission)
        return self.kind(f"GitHub refused to {what} ({status}): {reason.rstrip('.')}. {cure}")


def _known(said: str, cure: str, kind: type[MattermodError] = Refused) -> Known:
    return Known(said, cure, kind)


# https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/enabling-features-for-your-repository/managing-github-actions-settings-for-a-repository#preventing-github-actions-from-creating-or-approving-pull-requests
ACTIONS_PULLS = _known(
    r"GitHub Actions is not permitted to (?:create|approve)",
    'Switch on "Allow GitHub Actions to create and approve pull requests" under Settings → Actions → General → '
    "Workflow permissions, in the organisation first if the repository does not let you; or give "
    f"`cherry-pick-token` {APP} ({PAGE})",
    SettingOff,
)
# https://github.com/DataDog/datadog-agent/pull/49532, https://github.com/chdsbd/kodiak/issues/853
WORKFLOW_FILES = _known(
    r"without `?workflows?`? (?:permission|scope)",
    "Files of `.github/workflows` would change, or differ from those of the default branch, and {token} has no "
    "permission for that. GITHUB_TOKEN cannot have it: give a token of an App with `workflows: write`, or of a person "
    f"with the scope `workflow` ({PAGE})",
)
# https://github.com/actions/github-script/issues/572. Teams' identifiers begin with T_, and were base64 of "04:Team".
TEAM_UNSEEN = _known(
    r"global id of '(?:T_|MDQ6VGVhb)",
    "{token} cannot see the organisation's teams, and GITHUB_TOKEN never can: give `org-token` the token of an App "
    f"with `members: read` and `pull-requests: write` ({PAGE})",
)
TEAM_OUTSIDE = _known(
    r"Reviews may only be requested from collaborators",
    "Give the team, or the person, access to the repository under Settings → Collaborators and teams",
)
# https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-auto-merge-for-pull-requests-in-your-repository
AUTO_MERGE_OFF = _known(
    r"Auto[ -]?merge is not allowed for this repository",
    'Switch on "Allow auto-merge" under Settings → General → Pull Requests',
)
# https://github.com/peter-evans/enable-pull-request-automerge/issues/343: nothing is left to wait for.
READY = _known(r"is in (?:clean|has_hooks) status", "Nothing is left to wait for: merge it")
# https://github.com/peter-evans/enable-pull-request-automerge/issues/355
UNSTABLE = _known(
    r"is in unstable status",
    "A check that is not required has failed or still runs, and GitHub waits for required ones only. Merge it by hand, "
    "or require the check under Settings → Rules → Rulesets (or Settings → Branches)",
)
# https://github.com/hatena/Hatena-Blog-Workflows-Boilerplate/issues/12
NO_RULES = _known(
    r"Protected branch rules not configured",
    "The branch requires no check and no review, so there is nothing to wait for. Merge it by hand, or require "
    "something under Settings → Rules → Rulesets (or Settings → Branches)",
)
# https://github.com/akuity/kargo/pull/6490
METHOD_OFF = _known(
    r"(?:Merge commits|Squash merges|Rebase merges) are not allowed",
    "Allow that way to merge under Settings → General → Pull Requests, or configure another `method` or `auto_merge`",
)
DRAFTS_OFF = _known(
    r"Draft pull requests are not supported",
    "A private repository needs a paid plan for drafts; with `conflicts: comment` none is opened",
)
# https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/about-rulesets
PROTECTED = _known(
    r"GH006|GH013|protected branch|rule violations",
    "A rule protects the branch: leave the name out of it under Settings → Rules → Rulesets (or Settings → Branches), "
    f"or put the App of the token on its bypass list ({PAGE})",
)
# https://docs.github.com/en/repositories/archiving-a-github-repository/archiving-repositories
ARCHIVED = _known(
    r"was archived so (?:it )?is read-only",
    "Unarchive the repository under Settings → General → Danger Zone, or leave it out",
)
# https://github.com/benc-uk/workflow-dispatch/issues/72
WORKFLOW_OFF = _known(
    r"on a disabled workflow",
    "Enable the workflow in the tab Actions → the workflow → Enable workflow",
)
# https://github.com/tibdex/auto-update/issues/24
HEAD_UNWRITABLE = _known(
    r"permission to update head repository",
    "{token} may not write to the branch: it needs {permission}",
    Mistake,
)
# https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
PERSONAL = _known(
    r"not accessible by personal access token",
    "{token} is a personal token and needs {permission} for this repository: Settings of the account → Developer "
    f"settings → Personal access tokens ({PAGE})",
    Mistake,
)
# https://docs.github.com/en/authentication/authenticating-with-single-sign-on/authorizing-a-personal-access-token-for-use-with-single-sign-on
SINGLE_SIGN_ON = _known(
    r"SAML enforcement|enforced SAML SSO",
    "{token} is a personal token that the organisation's single sign-on does not know: authorise it under Settings of "
    "the account → Developer settings → Personal access tokens → Configure SSO; tokens of Apps need no such step",
    Mistake,
)
# https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/managing-allowed-ip-addresses-for-your-organization
ADDRESS = _known(
    r"IP allow list enabled",
    "The runner's address is not on the list: add it under the organisation's Settings → Authentication security → IP "
    "allow list, or use a runner with an address that is",
    Mistake,
)

TABLE = (
    ACTIONS_PULLS, WORKFLOW_FILES, TEAM_UNSEEN, TEAM_OUTSIDE, AUTO_MERGE_OFF, READY, UNSTABLE, NO_RULES, METHOD_OFF,
    DRAFTS_OFF, PROTECTED, ARCHIVED, WORKFLOW_OFF, HEAD_UNWRITABLE, PERSONAL, SINGLE_SIGN_ON, ADDRESS,
)  # fmt: skip


def find(said: str) -> Known | None:
    """The first of the table that fits GitHub's words."""
    return next((known for known in TABLE if re.search(known.said, said, re.IGNORECASE)), None)
