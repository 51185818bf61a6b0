"""The original's `config-mattermod.json`, unchanged: what each of its keys becomes.

A key of the original that this version does not use yet is accepted and named, so that one file can serve both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mattermod_action.source import suggestion

if TYPE_CHECKING:
    from mattermod_action.source import Path, Source

RULES = {"PrLabels": "pull_requests", "IssueLabels": "issues"}
RULE_KEYS = {"Label": "label", "Message": "message"}

# Each key with the place in the native file that it stands for.
PLACES = {
    "BlockPRMergeLabels": ("block_merge", "labels"),
    "SignedCLAURL": ("cla", "signed_url"),
    "CLAGithubStatusContext": ("cla", "context"),
    "CLAExclusionsList": ("cla", "excluded"),
    "PRWelcomeMessage": ("welcome", "message"),
    "GreetingTeam": ("greeter", "team"),
    "GreeterTeam": ("greeter", "team"),  # as the original's own sample file has it
    "GreetingLabels": ("greeter", "labels"),
    "AutoPRMergeLabel": ("auto_merge", "label"),
    "AutoAssignerTeam": ("auto_assign", "team"),
    "IssueLabelsToCleanUp": ("label_cleanup", "labels"),
    "BlockListBots": ("commands", "blocked_bots"),
    "NeedsToSignCLAMessage": ("cla", "message"),
    "BlockListPathsGlobal": ("protected_paths", "paths"),
    "BlacklistPaths": ("protected_paths", "paths"),  # as earlier versions had it
    "BlockListPathsPerRepo": ("protected_paths", "repositories"),
    "TranslationsBot": ("translations", "bot"),
    "TranslationsMattermostMessage": ("translations", "message"),
    "MattermostWebhookFooter": ("chat", "footer"),
    "GitHubTokenReserve": ("sweep", "reserve"),
    "SetupSpinmintTag": ("spinmint", "label"),
    "SetupSpinmintMessage": ("spinmint", "message"),
    "SetupSpinmintDoneMessage": ("spinmint", "done"),
    "SetupSpinmintFailedMessage": ("spinmint", "failed"),
    "SetupSpinmintUpgradeTag": ("spinmint", "upgrade_label"),
    "SetupSpinmintUpgradeMessage": ("spinmint", "upgrade_message"),
    "SetupSpinmintUpgradeDoneMessage": ("spinmint", "upgrade_done"),
    "DestroyedSpinmintMessage": ("spinmint", "destroyed"),
    "DestroyedExpirationSpinmintMessage": ("spinmint", "expired"),
    "SpinmintExpirationHour": ("spinmint", "hours"),
    "SpinmintsUseHttps": ("spinmint", "https"),
    "BuildStatusContext": ("spinmint", "build"),
    "InstanceSetupScript": ("spinmint", "script"),
    "InstanceSetupUpgradeScript": ("spinmint", "upgrade_script"),
    "AWSImageId": ("spinmint", "image"),
    "AWSKeyName": ("spinmint", "key_name"),
    "AWSInstanceType": ("spinmint", "instance_type"),
    "AWSSubNetId": ("spinmint", "subnet"),
    "AWSSecurityGroup": ("spinmint", "security_groups"),
    "AWSHostedZoneId": ("spinmint", "zone"),
    "AWSDnsSuffix": ("spinmint", "dns_suffix"),
    "DaysUntilStale": ("stale", "days"),
    "StaleLabel": ("stale", "label"),
    "StaleComment": ("stale", "comment"),
    "ExemptStaleLabels": ("stale", "exempt_labels"),
}
REPOSITORIES = "Repositories"
# What each of its entries has of its own. The file does not say which of them it is used for.
OF_REPOSITORIES = ("BuildStatusContext", "InstanceSetupScript", "InstanceSetupUpgradeScript")
# Where the original has one value and we have a list.
ONE = ("AWSSecurityGroup",)
# And where it counts, too, when that section is on.
ALSO = {"BlockPRMergeLabels": ("auto_merge", "unless")}
# What a section cannot be without; where it is missing the original's feature does nothing.
ESSENTIAL = {
    "block_merge": ("labels",),
    "cla": ("signed_url",),
    "welcome": ("message",),
    "auto_assign": ("team",),
    "auto_merge": ("label",),
    "label_cleanup": ("labels",),
    "translations": ("bot", "message"),
    "stale": ("days",),
    "spinmint": ("label",),  # what else it needs is a mistake where it is missing: it would be found at a launch
}
# Addresses of a chat, which are secrets, by the room that each is for.
ROOMS = {"MattermostWebhookURL": "", "TranslationsMattermostWebhookURL": "translations"}
NOT_NEEDED = frozenset(
    """
    ListenAddress MattermodURL GithubWebhookSecret GitHubWebhookSecret TickRateMinutes MetricsServerPort
    LogSettings RepoFolder ScriptsFolder DriverName GitConfigMergeRenameLimit
    """.split()
)
# Each with the input that takes it; the value is never shown.
SECRETS = {
    "GithubAccessToken": "github-token",
    "GithubAccessTokenCherryPick": "cherry-pick-token",
    "DataSource": "database-url",
    "JenkinsCredentials": "jenkins-credentials",
    "MattermostWebhookURL": "mattermost-webhook-url",
    "TranslationsMattermostWebhookURL": "mattermost-webhook-url",
    "GithubWebhookSecret": "",
    "GitHubWebhookSecret": "",
    "AWSCredentials": "",
    "CircleCIToken": "",
    "DockerPassword": "",
}
OUR_LOGINS = ("Username", "GithubUsername")
# Labels that started a job elsewhere, which no key names in a way that GitHub knows; each with its other keys.
BY_WORKFLOW = {
    "BuildAppTag": "BuildAppInitMessage BuildAppDoneMessage BuildAppFailedMessage BuildAppJobs".split(),
    "BuildMobileAppTag": """
        BuildMobileAppInitMessage BuildMobileAppDoneMessage BuildMobileAppFailedMessage BuildMobileAppBranchPrefix
        BuildMobileAppJobs
    """.split(),
    "EnterpriseTriggerLabel": """
        EnterpriseReponame EnterpriseTriggerReponame EnterpriseWebappReponame EnterpriseGithubStatusContext
        EnterpriseGithubStatusEETests EnterpriseGithubStatusTETests EnterpriseWorkflowName
    """.split(),
    "StartLoadtestTag": ["StartLoadtestMessage"],
}
WORKFLOW_KEYS = frozenset({*BY_WORKFLOW, *(key for keys in BY_WORKFLOW.values() for key in keys)})
NOT_USED_YET = frozenset(
    """
    GithubEmail Org CloudRepositories
    AutoAssignerTeamID TranslationsDoNotMergeLabel
    TranslationsMergedMessage TranslationsMergeFailureMessage TranslationsMergePolicy
    Integrations DockerRegistryURL DockerUsername
    """.split()
)
KNOWN = frozenset({*RULES, *PLACES, *NOT_NEEDED, *SECRETS, *OUR_LOGINS, *NOT_USED_YET, *WORKFLOW_KEYS, REPOSITORIES})


@dataclass(frozen=True, slots=True)
class Original:
    """The native data that the file stands for, where each path of it stands in the file, and what else it tells."""

    data: dict[str, Any]
    origin: dict[Path, Path]
    warnings: tuple[str, ...]
    bot_logins: tuple[str, ...]
    database_url: str
    webhooks: tuple[tuple[str, str], ...]
    jenkins: Any  # what stands under JenkinsCredentials


def translate(source: Source) -> Original:
    """Mistakes go to `source`, in the original's keys."""
    for key in source.data:
        if key not in KNOWN:
            source.mistakes.append((source.line((key,)), (key,), f"unknown key{suggestion(key, KNOWN)}"))
    native: dict[str, Any] = {}
    origin: dict[Path, Path] = {}
    for key, ours in RULES.items():
        if source.data.get(key) is not None:
            native[ours] = _rules(source, key, ("label_messages", ours), origin)
    data = {"label_messages": native} if native else {}
    data |= _sections(source.data, origin)
    webhooks = tuple((room, url) for key, room in ROOMS.items() if (url := _text(source.data, key)))
    database, jenkins = _text(source.data, "DataSource"), source.data.get("JenkinsCredentials")
    return Original(data, origin, _warnings(source.data), _logins(source.data), database, webhooks, jenkins)


def as_native(data: dict[str, Any]) -> str:
    """Write native data as YAML, a comment before each section that says what it is for."""
    import importlib
    import io

    from ruamel.yaml import YAML

    writer = YAML()
    writer.width, writer.indent = 120, 2
    parts = ["# Written by `mattermod import-config`. Secrets do not belong here: they are inputs of the action.\n"]
    for section, content in data.items():
        stream = io.StringIO()
        writer.dump({section: content}, stream)
        about = ""
        if section != "commands":
            about = (importlib.import_module(f"mattermod_action.features.{section}").__doc__ or "").splitlines()[0]
        parts.append((f"\n# {about}\n" if about else "\n") + stream.getvalue())
    return "".join(parts)


def _sections(given: dict[str, Any], origin: dict[Path, Path]) -> dict[str, Any]:
    """What is empty is off, as a message of "" never meant every comment; commands are on in the original."""
    made: dict[str, Any] = {"update_branch": {}, "cherry_pick": {}}
    if _text(given, "MattermostWebhookURL"):
        made["chat"] = {}
    given = {**_of_repositories(given), **{key: value for key, value in given.items() if _is_set(value)}}
    for key, place in (*PLACES.items(), *ALSO.items()):
        section, name = place
        origin.setdefault(place, (key,))
        if key in given and name not in made.get(section, {}):
            made.setdefault(section, {})[name] = [given[key]] if key in ONE else given[key]
            origin[place] = (key,)
    return {section: data for section, data in made.items() if data.keys() >= set(ESSENTIAL.get(section, ()))}


def _of_repositories(given: dict[str, Any]) -> dict[str, Any]:
    """What all of them that have it have alike."""
    entries = given.get(REPOSITORIES)
    entries = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    values = {key: {_text(each, key) for each in entries if each.get(key)} for key in OF_REPOSITORIES}
    return {key: next(iter(found)) for key, found in values.items() if len(found) == 1}


def _rules(source: Source, key: str, target: Path, origin: dict[Path, Path]) -> Any:
    origin[target] = (key,)
    rules = source.data[key]
    if not isinstance(rules, list):
        return rules  # the model says what it must be
    kept = [(index, rule) for index, rule in enumerate(rules) if not _is_placeholder(rule)]
    for position, (index, _) in enumerate(kept):
        origin[(*target, position)] = (key, index)
        origin.update({(*target, position, ours): (key, index, theirs) for theirs, ours in RULE_KEYS.items()})
    return [_rule(source, (key, index), rule) for index, rule in kept]


def _rule(source: Source, path: Path, rule: Any) -> Any:
    if not isinstance(rule, dict):
        return rule
    for name in rule.keys() - RULE_KEYS.keys():
        here = (*path, name)
        source.mistakes.append((source.line(here), here, f"unknown key{suggestion(name, RULE_KEYS)}"))
    return {RULE_KEYS[name]: value for name, value in rule.items() if name in RULE_KEYS}


def _is_placeholder(rule: Any) -> bool:
    """The original's sample file has a rule whose label and message are both empty."""
    return isinstance(rule, dict) and not rule.get("Label") and not rule.get("Message")


def _warnings(data: dict[str, Any]) -> tuple[str, ...]:
    given = [key for key in data if _is_set(data[key])]
    secrets = [_secret_warning(key) for key in given if key in SECRETS]
    unneeded = [key for key in given if key in NOT_NEEDED - SECRETS.keys()]
    idle = NOT_USED_YET if _of_repositories(data) else NOT_USED_YET | {REPOSITORIES}
    unused = [key for key in given if key in idle]
    lines = [("not needed here", unneeded), ("not used by this version", unused)]
    groups = [(label, [key for key in (label, *more) if key in given]) for label, more in BY_WORKFLOW.items()]
    workflows = [_workflow_warning(keys, _text(data, label)) for label, keys in groups if keys]
    return (*secrets, *workflows, *(f"{what}: {', '.join(keys)}" for what, keys in lines if keys))


def _secret_warning(key: str) -> str:
    cure = f"make it a secret and give it as the input `{SECRETS[key]}`" if SECRETS[key] else "it is not needed here"
    return f"{key} is a secret and stands in the configuration file: {cure}"


def _workflow_warning(keys: list[str], label: str) -> str:
    rule = f"{{label: {label[:50]!r}, workflow: FILE.yml, message: ..., done: ..., failed: ...}}"
    return f"{', '.join(keys)}: `label_workflow` does this, once you say which workflow it is: rules: [{rule}]"


def _is_set(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_set, value.values()))
    if isinstance(value, list):
        return any(map(_is_set, value))
    return bool(value)


def _logins(data: dict[str, Any]) -> tuple[str, ...]:
    return tuple(login for key in OUR_LOGINS if (login := _text(data, key)))


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""
