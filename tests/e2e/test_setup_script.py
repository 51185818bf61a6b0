"""The user data in a container of Debian: its own sh, its own tools, and root, who could do anything."""

from __future__ import annotations

import subprocess
from base64 import b64decode, b64encode

from mattermod_action.setup_script import GIVEN, user_data
from tests.e2e.conftest import IMAGE
from tests.hostile import HOSTILE

# A server has `shutdown`. After each script there is a line: what it printed, what `shutdown` was told, and new files.
STUB = '#!/bin/sh\\necho "$*" >>/shutdown\\n'
RUN = f"""
files() {{ find / -xdev -type f ! -path '/proc/*' ! -path '/sys/*'; }}
printf '{STUB}' >/usr/sbin/shutdown && chmod 755 /usr/sbin/shutdown
boots=/var/lib/cloud/scripts/per-boot
mkdir -p $boots && : >/printed >/user-data
before=$(files)
while read -r data; do
    rm -rf /work /shutdown /tmp/* $boots/* && mkdir /work && cd /work
    echo "$data" | base64 -d >/user-data
    sh /user-data >/printed </dev/null
    changed=$({{ echo "$before"; echo "$before"; files; }} | sort | uniq -u)
    echo "$(cat /printed)|$(cat /shutdown)|"$changed
done
find / -xdev -name '*pwned*'
"""
SCRIPT = '#!/bin/bash\nprintf %s "BRANCH_NAME" | base64 -w 0\necho $SPINMINT_AUTHOR >/dev/null\necho\n'
TEXTS = [text[:500] for text in HOSTILE]  # in every field at once, they have to fit into 16 KB
CHECKED = {
    "SPINMINT_NUMBER": "7",
    "SPINMINT_SHA": "a" * 40,
    "SPINMINT_REPOSITORY": "octo-org/hello",
    "SPINMINT_BUILD_NUMBER": "",
}


def test_s16_mm93_nothing_of_anybody_is_run_on_a_server() -> None:
    """S-16, MM-93: the branch in the text of a script of the original's, and in the environment."""
    assert len(TEXTS) >= 200
    ran = container([user_data(SCRIPT, "setup.sh", dict.fromkeys(GIVEN, text) | CHECKED, 90) for text in TEXTS])
    for text, line in zip(TEXTS, ran, strict=True):
        branch, shutdown, files = line.split("|")
        assert b64decode(branch).decode() == text.rstrip("\n")
        assert shutdown == "-h +90"
        assert [name.rpartition("/")[2] for name in files.split()] == ["shutdown", "script", "mattermod"]


def container(scripts: list[bytes]) -> list[str]:
    """Run one after the other."""
    command = ["docker", "run", "--rm", "--interactive", "--network=none", "--user=0", "--entrypoint=/bin/sh", IMAGE]
    given = b"".join(b64encode(script) + b"\n" for script in scripts)
    ran = subprocess.run([*command, "-c", RUN], input=given, check=True, capture_output=True)
    assert ran.stderr == b""
    return ran.stdout.decode().splitlines()
