"""Each key of the original's file gives the model that its place in the native file gives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mattermod_action.config import ConfigErrors, load
from mattermod_action.legacy import (
    BY_WORKFLOW,
    KNOWN,
    NOT_NEEDED,
    NOT_USED_YET,
    OUR_LOGINS,
    PLACES,
    REPOSITORIES,
    RULES,
    SECRETS,
    WORKFLOW_KEYS,
)

SPINMINT = {
    "SetupSpinmintTag": "l", "BuildStatusContext": "b", "InstanceSetupScript": "s.sh", "AWSImageId": "ami-01234567",
    "AWSInstanceType": "t3.large", "AWSSubNetId": "subnet-01234567", "AWSSecurityGroup": "sg-01234567",
    "AWSHostedZoneId": "Z1", "AWSDnsSuffix": "x.org",
}  # fmt: skip
NATIVE = (
    "label: l, build: b, script: s.sh, image: ami-01234567, instance_type: t3.large, subnet: subnet-01234567, "
    "security_groups: [sg-01234567], zone: Z1, dns_suffix: x.org"
)


def server(key: str = "", value: Any = "", native: str = "") -> tuple[dict[str, Any], str]:
    """A test server with one key more."""
    return {**SPINMINT, **({key: value} if key else {})}, f"spinmint: {{{NATIVE}{', ' + native if native else ''}}}"


BASE = "update_branch: {}\ncherry_pick: {}\n"  # what the original always does
EQUAL: dict[str, tuple[dict[str, Any], str]] = {
    "PrLabels": (
        {"PrLabels": [{"Label": "a", "Message": "b"}]},
        "label_messages: {pull_requests: [{label: a, message: b}]}",
    ),
    "IssueLabels": (
        {"IssueLabels": [{"Label": "a", "Message": "b"}]},
        "label_messages: {issues: [{label: a, message: b}]}",
    ),
    "BlockPRMergeLabels": ({"BlockPRMergeLabels": ["a", "b"]}, "block_merge: {labels: [a, b]}"),
    "SignedCLAURL": ({"SignedCLAURL": "https://x.org/l"}, "cla: {signed_url: 'https://x.org/l'}"),
    "CLAGithubStatusContext": (
        {"SignedCLAURL": "https://x.org/l", "CLAGithubStatusContext": "c"},
        "cla: {signed_url: 'https://x.org/l', context: c}",
    ),
    "CLAExclusionsList": (
        {"SignedCLAURL": "https://x.org/l", "CLAExclusionsList": ["bot"]},
        "cla: {signed_url: 'https://x.org/l', excluded: [bot]}",
    ),
    "PRWelcomeMessage": ({"PRWelcomeMessage": "Hello"}, "welcome: {message: Hello}"),
    "GreetingTeam": ({"GreetingTeam": "t"}, "greeter: {team: t}"),
    "GreeterTeam": ({"GreeterTeam": "t"}, "greeter: {team: t}"),
    "GreetingLabels": ({"GreetingLabels": ["l"]}, "greeter: {labels: [l]}"),
    "AutoPRMergeLabel": ({"AutoPRMergeLabel": "l"}, "auto_merge: {label: l}"),
    "AutoAssignerTeam": ({"AutoAssignerTeam": "t"}, "auto_assign: {team: t}"),
    "IssueLabelsToCleanUp": ({"IssueLabelsToCleanUp": ["l"]}, "label_cleanup: {labels: [l]}"),
    "NeedsToSignCLAMessage": (
        {"SignedCLAURL": "https://x.org/l", "NeedsToSignCLAMessage": "Sign"},
        "cla: {signed_url: 'https://x.org/l', message: Sign}",
    ),
    "BlockListPathsGlobal": ({"BlockListPathsGlobal": ["a/*"]}, "protected_paths: {paths: [a/*]}"),
    "BlacklistPaths": ({"BlacklistPaths": ["a/*"]}, "protected_paths: {paths: [a/*]}"),
    "BlockListPathsPerRepo": (
        {"BlockListPathsPerRepo": {"server": ["a/*"]}},
        "protected_paths: {repositories: {server: [a/*]}}",
    ),
    "TranslationsBot": (
        {"TranslationsBot": "weblate", "TranslationsMattermostMessage": "New"},
        "translations: {bot: weblate, message: New}",
    ),
    "TranslationsMattermostMessage": (
        {"TranslationsBot": "weblate", "TranslationsMattermostMessage": "Newer"},
        "translations: {bot: weblate, message: Newer}",
    ),
    "MattermostWebhookFooter": ({"MattermostWebhookFooter": "See"}, "chat: {footer: See}"),
    "BlockListBots": ({"BlockListBots": ["b"]}, "commands: {blocked_bots: [b]}"),
    "GitHubTokenReserve": ({"GitHubTokenReserve": 50}, "sweep: {reserve: 50}"),
    "DaysUntilStale": ({"DaysUntilStale": 30}, "stale: {days: 30}"),
    "StaleLabel": ({"DaysUntilStale": 30, "StaleLabel": "l"}, "stale: {days: 30, label: l}"),
    "StaleComment": ({"DaysUntilStale": 30, "StaleComment": "Old"}, "stale: {days: 30, comment: Old}"),
    "ExemptStaleLabels": (
        {"DaysUntilStale": 30, "ExemptStaleLabels": ["a", "b"]},
        "stale: {days: 30, exempt_labels: [a, b]}",
    ),
    **dict.fromkeys(SPINMINT, server()),
    "SetupSpinmintMessage": server("SetupSpinmintMessage", "Wait", "message: Wait"),
    "SetupSpinmintDoneMessage": server("SetupSpinmintDoneMessage", "SPINMINT_LINK", "done: SPINMINT_LINK"),
    "SetupSpinmintFailedMessage": server("SetupSpinmintFailedMessage", "No", "failed: No"),
    "SetupSpinmintUpgradeTag": (
        {**SPINMINT, "SetupSpinmintUpgradeTag": "u", "InstanceSetupUpgradeScript": "u.sh"},
        f"spinmint: {{{NATIVE}, upgrade_label: u, upgrade_script: u.sh}}",
    ),
    "SetupSpinmintUpgradeMessage": server("SetupSpinmintUpgradeMessage", "Wait", "upgrade_message: Wait"),
    "SetupSpinmintUpgradeDoneMessage": server("SetupSpinmintUpgradeDoneMessage", "Up", "upgrade_done: Up"),
    "InstanceSetupUpgradeScript": server("InstanceSetupUpgradeScript", "u.sh", "upgrade_script: u.sh"),
    "DestroyedSpinmintMessage": server("DestroyedSpinmintMessage", "Gone", "destroyed: Gone"),
    "DestroyedExpirationSpinmintMessage": server("DestroyedExpirationSpinmintMessage", "Over", "expired: Over"),
    "SpinmintExpirationHour": server("SpinmintExpirationHour", 48, "hours: 48"),
    "SpinmintsUseHttps": server("SpinmintsUseHttps", value=True, native="https: true"),
    "AWSKeyName": server("AWSKeyName", "k", "key_name: k"),
}


@pytest.mark.parametrize("key", [*RULES, *PLACES])
def test_a_key_gives_what_its_place_gives(key: str) -> None:
    old, native = EQUAL[key]
    assert load(json.dumps(old), "c.json").config == load(BASE + native, "c.yml").config


def test_what_all_repositories_have_alike_is_ours() -> None:
    scripts = {key: SPINMINT[key] for key in ("BuildStatusContext", "InstanceSetupScript")}
    rest = {key: value for key, value in SPINMINT.items() if key not in scripts}
    alike = {**rest, "Repositories": [{"Name": "a", **scripts}, {"Name": "b"}, "no mapping"]}
    _, native = server()
    loaded = load(json.dumps(alike), "c.json")
    assert loaded.config == load(BASE + native, "c.yml").config
    assert not [warning for warning in loaded.warnings if "Repositories" in warning]
    idle = load(json.dumps({"Repositories": [{"Name": "a"}]}), "c.json")
    assert idle.warnings == ("not used by this version: Repositories",)


@pytest.mark.parametrize("key", [key for key in SPINMINT if key != "SetupSpinmintTag"])
def test_what_a_launch_would_miss_is_missed_at_once(key: str) -> None:
    """In the original's file and in ours; MM-90: hours that are 0 are not given."""
    given = {name: value for name, value in {**SPINMINT, "SpinmintExpirationHour": 0}.items() if name != key}
    with pytest.raises(ConfigErrors) as caught:
        load(json.dumps(given), "c.json")
    assert str(caught.value) == f"c.json:1: {key}: is missing"
    _, name = PLACES[key]
    native = ", ".join(each for each in NATIVE.split(", ") if not each.startswith(f"{name}:"))
    with pytest.raises(ConfigErrors) as caught:
        load(f"spinmint: {{{native}}}", "c.yml")
    assert str(caught.value) == f"c.yml:1: spinmint.{name}: is missing"


def test_what_blocks_a_merge_forbids_it_where_merges_are_made() -> None:
    old = {"AutoPRMergeLabel": "l", "BlockPRMergeLabels": ["a"]}
    native = "block_merge: {labels: [a]}\nauto_merge: {label: l, unless: [a]}"
    assert load(json.dumps(old), "c.json").config == load(BASE + native, "c.yml").config


@pytest.mark.parametrize("key", list(PLACES))
@pytest.mark.parametrize("empty", ["", [], None, 0])
def test_mm21_what_is_empty_is_off(key: str, empty: object) -> None:
    assert load(json.dumps({key: empty}), "c.json").config == load(BASE, "c.yml").config


def test_an_address_of_a_chat_switches_failures_on() -> None:
    assert load('{"MattermostWebhookURL": "https://x.org/h"}', "c.json").config.chat is not None


def test_a_section_without_what_it_needs_is_off() -> None:
    given = {"CLAGithubStatusContext": "cla", "CLAExclusionsList": ["bot"]}
    assert load(json.dumps(given), "c.json").config.cla is None


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("BlockPRMergeLabels", "x", "c.json:2: BlockPRMergeLabels: must be a list, found text"),
        ("GreetingLabels", [1], "c.json:3: GreetingLabels[0]: must be text, found a number"),
        ("SignedCLAURL", "http://x.org", "c.json:2: SignedCLAURL: must be an https address"),
    ],
)
def test_a_mistake_is_told_in_the_originals_words(key: str, value: object, line: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(json.dumps({key: value}, indent=1), "c.json")
    assert str(caught.value).splitlines() == [line]


def test_each_key_of_the_original_has_one_fate() -> None:
    fates = [
        set(RULES),
        set(PLACES),
        set(OUR_LOGINS),
        set(NOT_USED_YET),
        set(NOT_NEEDED) | set(SECRETS),
        set(WORKFLOW_KEYS),
        {REPOSITORIES},
    ]
    assert sum(map(len, fates)) == len(KNOWN)


@pytest.mark.parametrize("label", BY_WORKFLOW)
def test_a_label_that_started_a_job_elsewhere_says_what_to_write(label: str) -> None:
    other = BY_WORKFLOW[label][0]
    old = load(json.dumps({label: "Start it", other: "Started"}), "c.json")
    [warning] = old.warnings
    assert warning.startswith(f"{label}, {other}: `label_workflow` does this")
    assert "{label: 'Start it', workflow: FILE.yml" in warning
    assert load(json.dumps({label: "", other: ""}), "c.json").warnings == ()
    [alone] = load(json.dumps({other: "Started"}), "c.json").warnings
    assert alone.startswith(f"{other}: `label_workflow` does this")
