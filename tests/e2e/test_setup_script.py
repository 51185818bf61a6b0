"""The user data in a container of Debian: its own sh, its own tools, and root, who could do anything."""

from __future__ import annotations

import random
import subprocess
from base64 import b64decode

import pytest

from mattermod_action.setup_script import GIVEN, user_data
from tests.e2e.conftest import IMAGE
from tests.hostile import BRANCH, COMMANDS, hostile

# A server has `shutdown`; all that is there before and after, and all that is printed, is compared.
STUB = '#!/bin/sh\\necho "$*" >>/shutdown\\n'
RUN = f"""
files() {{ find / -xdev -type f ! -path '/proc/*' ! -path '/sys/*'; }}
printf '{STUB}' >/usr/sbin/shutdown && chmod 755 /usr/sbin/shutdown
mkdir /work && cd /work && cat >/user-data
before=$(files)
sh /user-data
cat /shutdown
{{ echo "$before"; echo "$before"; files; }} | sort | uniq -u
"""
SCRIPT = '#!/bin/bash\nprintf %s "BRANCH_NAME" | base64 -w 0\necho $SPINMINT_AUTHOR >/dev/null\necho\n'
TEXTS = [BRANCH, *COMMANDS[::6], *(hostile(random.Random(seed)) for seed in range(10))]  # noqa: S311  # repeatable


def container(data: bytes) -> list[str]:
    command = ["docker", "run", "--rm", "--interactive", "--network=none", "--user=0", "--entrypoint=/bin/sh", IMAGE]
    ran = subprocess.run([*command, "-c", RUN], input=data, check=True, capture_output=True)
    assert ran.stderr == b""
    return ran.stdout.decode().splitlines()


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_s16_mm93_nothing_of_anybody_is_run_on_a_server(number: int) -> None:
    """S-16, MM-93: the branch in the text of a script of the original's, and in the environment."""
    checked = {"SPINMINT_NUMBER": "7", "SPINMINT_SHA": "a" * 40, "SPINMINT_REPOSITORY": "octo-org/hello"}
    values = dict.fromkeys(GIVEN, TEXTS[number]) | checked | {"SPINMINT_BUILD_NUMBER": ""}
    branch, shutdown, *files = container(user_data(SCRIPT, "setup.sh", values, 90))
    assert b64decode(branch).decode() == TEXTS[number].rstrip("\n")
    assert shutdown == "-h +90"
    assert [name.rpartition("/")[2] for name in files] == ["shutdown", "script"]
