"""The section `spinmint`: what it takes, and what is said of what it does not."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mattermod_action.config import ConfigErrors, load
from mattermod_action.servers import ENDINGS, LIVE, NEXT, RELAUNCH, RUNNING, fields_of_order

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = {
    "label": "Setup", "build": "ci", "image": "ami-01234567", "instance_type": "t3.large", "subnet": "subnet-01234567",
    "security_groups": "[sg-01234567]", "zone": "Z1", "dns_suffix": "test.example.com", "script": "setup.sh",
}  # fmt: skip


def written(**more: str) -> str:
    return "spinmint:\n" + "".join(f"  {name}: {value}\n" for name, value in {**WHOLE, **more}.items())


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("script", "../setup.sh", "must be a file in the folder of this configuration, or below it"),
        ("script", "/etc/passwd", "must be a file in the folder of this configuration, or below it"),
        ("script", "a/../../b", "must be a file in the folder of this configuration, or below it"),
        ("image", "debian", "is no image of EC2: ami-…"),
        ("instance_type", "large", "is no type of an instance, such as t3.large"),
        ("subnet", "10.0.0.0/24", "is no subnet: subnet-…"),
        ("security_groups", "[default]", "is no security group: sg-…"),
        ("security_groups", "[]", "must name at least one"),
        ("zone", "/hostedzone/Z1", "is no hosted zone, which has capital letters and digits"),
        ("dns_suffix", ".Example.com", "is no name below which servers are named: test.example.com"),
        ("ready_path", "health", "is no path, such as /"),
        ("tag", "a b", "is no value of a tag: letters, digits, _ and -"),
        ("hours", "0", "Input should be greater than or equal to 1"),
        ("build_by", "travis", "must be jenkins or github"),
        ("forks", "yes", "must be refused or allowed"),
    ],
)
def test_s20_a_mistake_is_one_line(key: str, value: str, told: str) -> None:
    """S-20, S-16: what goes into a path, a name or a tag is of one form."""
    with pytest.raises(ConfigErrors) as caught:
        load(written(**{key: value}), "c.yml")
    [line] = str(caught.value).splitlines()
    place = f"{key}[0]" if value == "[default]" else key
    assert line == f"c.yml:{2 + list({**WHOLE, key: value}).index(key)}: spinmint.{place}: {told}"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"upgrade_label": "Up"}, "must have `upgrade_script` with `upgrade_label`"),
        ({"hours": "100", "longest_hours": "99"}, "must have `longest_hours` of at least `hours`"),
    ],
)
def test_keys_that_belong_together(more: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(written(**more), "c.yml")
    assert str(caught.value) == f"c.yml:1: spinmint: {told}"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (None, "setup.sh: cannot be read: No such file or directory"),
        ("echo $SPINMINT_SHA\n", "setup.sh:1: "),
        ("#!/bin/sh\necho $SPINMINT_SHAA\n", "setup.sh:2: "),
    ],
)
def test_check_config_looks_at_the_script(tmp_path: Path, script: str | None, told: str) -> None:
    (tmp_path / "c.yml").write_text(written())
    if script:
        (tmp_path / "setup.sh").write_text(script)
    command = [sys.executable, "-m", "mattermod_action", "check-config", "c.yml"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (ran.returncode, ran.stderr.startswith(told), len(ran.stderr.splitlines())) == (2, True, 1), ran.stderr


def test_what_is_configured_is_what_is_launched() -> None:
    """Nothing of an order is left to chance: it has a key, or is of the request, or of the launch."""
    made = fields_of_order(load(written(), "c.yml").config.spinmint)
    assert {"image", "subnet", "hours", "tag", "https", "bots", "boot_minutes"} < set(made)


def test_states_lead_to_an_end() -> None:
    """From each that is live there is a way to one that is not, and from none of those is there any."""
    over = [state for state in NEXT if state not in LIVE]
    assert over == ["destroyed", "failed", "refused"]
    reached = set(over)
    for _ in NEXT:
        reached |= {state for state, following in NEXT.items() if reached & set(following)}
    assert reached == set(NEXT)
    assert set(RUNNING) < set(LIVE)
    assert RELAUNCH not in ENDINGS
