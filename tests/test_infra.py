"""The role's policies allow what the adapter asks of AWS, and nothing else."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator

from mattermod_action.adapters import aws, aws_errors, aws_identity, aws_passwords
from mattermod_action.servers import HOST
from mattermod_action.spinmints import ENDS_TAG, SERVER_TAG, Launch

INFRA = Path(__file__).parent.parent / "infra"
README = (INFRA / "README.md").read_text()
NAMES = ("iam-policy.json", "iam-policy-passwords.json", "server-policy.json", "trust-policy.json")
TEXTS = {name: (INFRA / name).read_text() for name in NAMES}
POLICY, PASSWORDS, SERVER, TRUST = (json.loads(text)["Statement"] for text in TEXTS.values())
STATEMENTS: dict[str, dict[str, Any]] = {each["Sid"]: each for each in [*POLICY, *PASSWORDS, *SERVER]}
SOURCE, SOURCE_OF_PASSWORDS = (Path(str(module.__file__)).read_text() for module in (aws, aws_passwords))
GITHUB = "token.actions.githubusercontent.com"
SERVICES = ("ec2", "route53", "secretsmanager", "ssm")
ROUTE53 = "route53:ChangeResourceRecordSets"
LIMIT = 6_144  # characters of a managed policy without white space: IAM's quota
# The keys of each statement's condition. Some know none: what they may read is one zone, or tells nothing, or they are
# held to what is below one prefix.
CONDITIONS = {
    "Look": {"aws:RequestedRegion"},
    "LaunchFrom": {"aws:RequestedRegion"},
    "LaunchInstance": {
        f"aws:RequestTag/{SERVER_TAG}",
        "ec2:InstanceType",
        "ec2:MetadataHttpTokens",
        "ec2:MetadataHttpPutResponseHopLimit",
    },
    "LaunchDisk": {f"aws:RequestTag/{SERVER_TAG}", "ec2:VolumeType", "ec2:VolumeSize", "ec2:Encrypted"},
    "LaunchNetwork": {f"aws:RequestTag/{SERVER_TAG}", "ec2:Subnet"},
    "TagAtBirth": {f"aws:RequestTag/{SERVER_TAG}", "ec2:CreateAction"},
    "EndOurs": {f"aws:ResourceTag/{SERVER_TAG}"},
    "MoveEnd": {f"aws:ResourceTag/{SERVER_TAG}", "aws:TagKeys"},
    "Name": {f"{ROUTE53}NormalizedRecordNames", f"{ROUTE53}RecordTypes", f"{ROUTE53}Actions"},
    "ListNames": set(),
    "FollowChange": set(),
    "KeepInParameters": set(),
    "KeepInSecrets": set(),
    "GiveServersTheirRole": {"iam:PassedToService"},
    "ReadParameters": set(),
    "ReadSecrets": set(),
}
PARAMETERS = "arn:aws:ssm:<region>:<account>:parameter/<prefix>/*"
SECRETS = "arn:aws:secretsmanager:<region>:<account>:secret:<prefix>/*"


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def condition(name: str) -> dict[str, Any]:
    """Each key with what is demanded of it, whatever the operator."""
    operators = STATEMENTS[name].get("Condition", {})
    return {key: value for kind, keys in operators.items() if kind != "Null" for key, value in keys.items()}


def called(source: str) -> set[str]:
    """Each operation that an adapter calls on a client of boto3's, under its name in IAM."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=method, value=ast.Attribute(attr=client)) if client[1:] in SERVICES:
                found.add((client[1:], method))
    make: Any = boto3.Session(region_name="us-east-1").client
    names = {service: make(service).meta.method_to_api_mapping for service, _ in found}
    return {f"{service}:{names[service][method]}" for service, method in found}


def actions(policy: list[dict[str, Any]]) -> set[str]:
    return {action for each in policy for action in listed(each["Action"])}


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"<[^<>]*>", text))


@pytest.mark.parametrize("name", TEXTS)
def test_iam_takes_the_policy(name: str) -> None:
    filled = re.sub(r"<([a-z-]+)>", lambda found: "123456789012" if found[1] == "account" else found[1], TEXTS[name])
    validator = IAMTrustPolicyDocumentValidator if name.startswith("trust") else IAMPolicyDocumentValidator
    validator(filled).validate()
    assert len("".join(filled.split())) < LIMIT


def test_s12_what_is_called_is_allowed_and_nothing_else() -> None:
    assert actions(POLICY) == called(SOURCE)
    assert actions(PASSWORDS) == called(SOURCE_OF_PASSWORDS) | {"iam:PassRole"}  # which an instance profile takes
    assert actions(SERVER) == {"ssm:GetParameter", "secretsmanager:GetSecretValue"}
    for each in STATEMENTS.values():
        assert not any("*" in action for action in listed(each["Action"]))
        assert each["Effect"] == "Allow"
        assert each.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}


def test_each_call_names_the_permission_that_it_takes() -> None:
    """It is what a user is told to add, when it is missing."""
    for source in (SOURCE, SOURCE_OF_PASSWORDS):
        assert set(re.findall(rf'"((?:{"|".join(SERVICES)}):\w+)"', source)) == called(source)


def test_s12_each_statement_has_its_condition() -> None:
    assert {name: set(condition(name)) for name in STATEMENTS} == CONDITIONS


def test_s12_only_looking_is_allowed_everywhere() -> None:
    everywhere = {name for name, each in STATEMENTS.items() if "*" in listed(each["Resource"])}
    assert everywhere == {"Look"}
    fixed = {name for name, each in STATEMENTS.items() if not any("*" in one for one in listed(each["Resource"]))}
    assert fixed == {"LaunchFrom", "Name", "ListNames", "GiveServersTheirRole"}


def test_s12_only_the_end_of_a_server_of_ours_can_be_moved() -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition_examples-multi-valued-context-keys.html."""
    operators = STATEMENTS["MoveEnd"]["Condition"]
    assert operators["StringEquals"] == {f"aws:ResourceTag/{SERVER_TAG}": "<tag>"}
    assert operators["ForAllValues:StringEquals"] == {"aws:TagKeys": [ENDS_TAG]}
    assert operators["Null"] == {"aws:TagKeys": "false"}  # or it would allow what has no tag at all
    assert STATEMENTS["MoveEnd"]["Resource"] == "arn:aws:ec2:<region>:<account>:instance/*"


def test_s12_passwords_are_below_one_prefix_and_only_servers_read_them() -> None:
    held = {name: STATEMENTS[name]["Resource"] for name in STATEMENTS if name.startswith(("Keep", "Read"))}
    assert held == {
        "KeepInParameters": PARAMETERS, "KeepInSecrets": SECRETS, "ReadParameters": PARAMETERS, "ReadSecrets": SECRETS,
    }  # fmt: skip
    assert not [action for action in actions([*POLICY, *PASSWORDS]) if ":Get" in action and "Secret" in action]
    assert "ssm:GetParameter" not in actions([*POLICY, *PASSWORDS])


def test_s12_one_role_is_handed_on_and_to_ec2_alone() -> None:
    statement = STATEMENTS["GiveServersTheirRole"]
    assert statement["Resource"] == "arn:aws:iam::<account>:role/<server-role>"
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    assert [each["Sid"] for each in [*POLICY, *SERVER] if "iam:PassRole" in listed(each["Action"])] == []


def test_each_file_that_an_error_names_is_there() -> None:
    named = set(re.findall(r"infra/([\w-]+\.json)", Path(aws_errors.__file__).read_text()))
    assert named == {"iam-policy.json", "iam-policy-passwords.json", "trust-policy.json"} & set(TEXTS)


def test_s12_the_token_is_asked_for_as_the_role_wants_it() -> None:
    [statement] = TRUST
    assert statement["Action"] == aws_errors.ASSUME
    assert statement["Condition"]["StringEquals"][f"{GITHUB}:aud"] == aws_identity.AUDIENCE


def test_s12_only_a_and_aaaa_of_instances_below_the_suffix() -> None:
    assert HOST.format(instance="i-0", suffix="<suffix>") == "i-0.<suffix>"
    operators = STATEMENTS["Name"]["Condition"]
    assert operators["ForAllValues:StringLike"] == {f"{ROUTE53}NormalizedRecordNames": ["i-*.<suffix>"]}
    assert operators["ForAllValues:StringEquals"][f"{ROUTE53}RecordTypes"] == list(aws.ADDRESSES)
    assert operators["Null"] == dict.fromkeys(CONDITIONS["Name"], "false")  # or it would allow what has no such key


def test_s17_a_launch_of_ours_is_one_that_is_allowed() -> None:
    launch = Launch(
        token="t", image="i", instance_type="<instance-type>", subnet="s", security_groups=("g",), user_data=b"",
        tags=((SERVER_TAG, "<tag>"),),
    )  # fmt: skip
    disk = {"Ebs": {"VolumeSize": 8, **aws.DISK}}
    asked = aws._wanted(launch, disk)
    metadata, tags = asked["MetadataOptions"], asked["TagSpecifications"]
    instance = condition("LaunchInstance")
    assert instance["ec2:MetadataHttpTokens"] == metadata["HttpTokens"]
    assert instance["ec2:MetadataHttpPutResponseHopLimit"] == str(metadata["HttpPutResponseHopLimit"])
    assert instance["ec2:InstanceType"] == asked["InstanceType"]
    assert condition("LaunchDisk")["ec2:VolumeType"] == aws.DISK["VolumeType"]
    assert STATEMENTS["LaunchDisk"]["Condition"]["NumericLessThanEquals"] == {"ec2:VolumeSize": "<disk-size>"}
    assert condition("LaunchDisk")["ec2:Encrypted"] == str(aws.DISK["Encrypted"]).lower()
    tagged = {one.rpartition(":")[2].removesuffix("/*") for one in STATEMENTS["TagAtBirth"]["Resource"]}
    assert {each["ResourceType"] for each in tags} == tagged
    assert all(each["Tags"] == [{"Key": SERVER_TAG, "Value": "<tag>"}] for each in tags)


def test_s12_the_role_is_for_one_repository_in_one_environment() -> None:
    [statement] = TRUST
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Principal"] == {"Federated": f"arn:aws:iam::<account>:oidc-provider/{GITHUB}"}
    assert statement["Condition"].keys() == {"StringEquals"}
    claims = statement["Condition"]["StringEquals"]
    assert claims.keys() == {f"{GITHUB}:aud", f"{GITHUB}:sub"}
    assert claims[f"{GITHUB}:aud"] == "sts.amazonaws.com"
    subject = claims[f"{GITHUB}:sub"]
    assert re.fullmatch(r"repo:<owner>@<owner-id>/<repository>@<repository-id>:environment:<environment>", subject)


def test_each_placeholder_is_explained() -> None:
    table = README.partition("| placeholder |")[2].partition("\n\n")[0]
    explained = placeholders("".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert explained == placeholders("".join(TEXTS.values()))


def test_each_statement_is_explained_with_an_address() -> None:
    table = README.partition("| statement |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [each["Sid"] for each in POLICY]
    assert table.count("https://docs.aws.amazon.com/") >= 8
    beside = README.partition("## Passwords of servers")[2]
    rows = [line for line in beside.splitlines() if line.startswith("| `")]
    named = [name for line in rows for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert named == [each["Sid"] for each in [*PASSWORDS, *SERVER]]
    assert all("https://docs.aws.amazon.com/" in line for line in rows)
