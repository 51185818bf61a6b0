"""The user data is run, by every sh there is, among stubs: what arrives in the environment, and what happens besides.

Each run has a folder of its own, of which every file is accounted for afterwards. So what a value would have had done
shows, whatever it is: hostile values create files.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from mattermod_action.errors import Mistake
from mattermod_action.setup_script import GIVEN, VARIABLES, WORDS, check, user_data
from mattermod_action.spinmints import USER_DATA_LIMIT
from tests.hostile import BRANCH, HOSTILE, hostile

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = [words for words in (["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(words[0])]
TOOLS = ("base64", "bash", "cat", "chmod", "head", "mktemp", "sh", "touch", "wc")
NOW = 1_800_000_000
RECORD = 'printf "%s\\n" "$*" >>"{folder}/{name}"\n'
STUBS = {
    "date": f"echo {NOW}\n",
    "sleep": RECORD + '[ "$(wc -l <"{folder}/sleep")" -le {rounds} ]\n',
    "shutdown": RECORD + '[ "$1" = -c ] || [ ! -e "{folder}/refuse.$(wc -l <"{folder}/sleep")" ]\n',
    "curl": RECORD + 'case "$*" in *PUT*) echo TOKEN;; *) cat "{folder}/answer.$(wc -l <"{folder}/sleep")";; esac\n',
}
SCRIPT = "#!/bin/sh\n" + "".join(f'printf %s "${name}" >{name}\n' for name in VARIABLES)
SHA = "0123456789abcdef0123456789abcdef01234567"
FREE = ("SPINMINT_BRANCH", "SPINMINT_AUTHOR", "SPINMINT_BUILD_URL", "SPINMINT_DNS_SUFFIX", "SPINMINT_PASSWORD")
VALUES = dict.fromkeys(GIVEN, "") | {
    "SPINMINT_NUMBER": "7",
    "SPINMINT_SHA": SHA,
    "SPINMINT_REPOSITORY": "octo-org/hello",
}
each_shell = pytest.mark.parametrize(
    "shell",
    [pytest.param(words, marks=pytest.mark.soak if "--posix" in words else (), id=" ".join(words)) for words in SHELLS],
)


@dataclass
class Ran:
    """What is there after a run: `files` of the working folder, `calls` of stubs, and `others` that nobody expects."""

    output: str
    files: dict[str, bytes]
    calls: dict[str, list[str]]
    others: list[str] = field(default_factory=list)


@dataclass
class Server:
    """A folder that is all that user data finds; the loop goes round once for each of `answers`, None for a failure."""

    folder: Path
    answers: tuple[str | None, ...] = ()
    downloader: str = "curl"
    is_real: bool = False  # the downloader of this machine

    def run(self, shell: list[str], data: bytes) -> Ran:
        self.prepare()
        ran = subprocess.run(
            [str(shutil.which(shell[0])), *shell[1:], str(self._made("user-data", data))],
            cwd=self.folder / "work",
            env={"PATH": str(self.folder / "bin"), "TMPDIR": str(self.folder / "tmp")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
        self._wait()
        assert ran.returncode == 0, ran.stderr
        return self._seen((ran.stdout + ran.stderr).decode())

    def prepare(self) -> None:
        for name in ("bin", "tmp", "work"):
            (self.folder / name).mkdir(parents=True)
        for name in TOOLS:
            (self.folder / "bin" / name).symlink_to(str(shutil.which(name)))
        self._made("sleep", b"")
        for number, answer in enumerate(self.answers, 1):
            if answer is not None:
                self._made(f"answer.{number}", answer.encode())
        for name, text in STUBS.items():
            self._stub(self.downloader if name == "curl" else name, text)
        if self.is_real:
            (self.folder / "bin" / self.downloader).unlink()
            (self.folder / "bin" / self.downloader).symlink_to(str(shutil.which(self.downloader)))

    def _stub(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        filled = text.replace("{folder}", str(self.folder)).replace("{name}", name)
        path.write_text("#!/bin/sh\n" + filled.replace("{rounds}", str(len(self.answers))))
        path.chmod(0o755)

    def _made(self, name: str, data: bytes) -> Path:
        (self.folder / name).write_bytes(data)
        return self.folder / name

    def _wait(self) -> None:
        """Until the loop has seen its sleep fail; all that it does stands before that."""
        for _ in range(1_000):
            if len(self._lines("sleep")) > len(self.answers):
                return
            time.sleep(0.01)
        raise RuntimeError("the loop does not come round")

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def _seen(self, output: str) -> Ran:
        calls = {name: self._lines(name) for name in ("shutdown", "sleep", self.downloader)}
        ours = {"user-data", "shutdown", "sleep", self.downloader}
        others = [
            str(path.relative_to(self.folder))
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.parent.name not in ("bin", "work") and path.name.split(".")[0] not in ours
        ]
        files = {path.name: path.read_bytes() for path in (self.folder / "work").iterdir()}
        return Ran(output, files, calls, [name for name in others if not name.startswith(("answer.", "refuse."))])


def values(**some: str) -> dict[str, str]:
    return VALUES | {f"SPINMINT_{name}": value for name, value in some.items()}


def expected(given: dict[str, str]) -> dict[str, bytes]:
    build = given["SPINMINT_BUILD_NUMBER"] or given["SPINMINT_NUMBER"]
    return {name: value.rstrip("\n").encode() for name, value in (given | {"SPINMINT_BUILD": build}).items()}


def must_be_harmless(ran: Ran, given: dict[str, str]) -> None:
    """Each value has arrived, and there is nothing else but the script, in a folder of its own."""
    assert ran.files == expected(given)
    assert [name.rpartition("/")[2] for name in ran.others] == ["script"]
    assert ran.calls["shutdown"] == ["-h +90"]
    assert ran.output == ""


@each_shell
@pytest.mark.parametrize("part", range(5))
def test_s16_what_comes_from_outside_arrives_as_it_is(shell: list[str], part: int, tmp_path: Path) -> None:
    """S-16: as every value that is free text."""
    assert len(HOSTILE) >= 200
    for number, text in enumerate(HOSTILE[part::5]):
        given = VALUES | dict.fromkeys(FREE[:1] if len(text) > 1_000 else FREE, text)
        must_be_harmless(Server(tmp_path / str(number)).run(shell, user_data(SCRIPT, "setup.sh", given, 90)), given)


ORIGINAL = """\
#!/bin/bash
# that's what BRANCH_NAME is for
cd BUILD_NUMBER 2>/dev/null
BRANCH_NAME=mine
printf %s "https://example.com/PR-BUILD_NUMBER/x.tar.gz" >url
printf %s 'it is' BUILD_NUMBER "'" >number
printf '<%s>' BRANCH_NAME >unquoted
cat <<END >here
BRANCH_NAME
END
printf %s "$BRANCH_NAME, PRE_BRANCH_NAME, ${BRANCH_NAME:-BRANCH_NAME}" >own
"""


@each_shell
def test_mm93_a_branch_is_no_command(shell: list[str], tmp_path: Path) -> None:
    """MM-93: in a script of the original's, which had the branch in its text."""
    ran = Server(tmp_path / "x").run(shell, user_data(ORIGINAL, "setup.sh", values(BRANCH=BRANCH), 90))
    assert ran.files == {
        "url": f"https://example.com/commit/{SHA}/x.tar.gz".encode(),
        "number": b"it is7'",
        "unquoted": f"<{BRANCH}>".encode(),
        "here": f"{BRANCH}\n".encode(),
        "own": b"mine, PRE_BRANCH_NAME, mine",
    }
    assert [name.rpartition("/")[2] for name in ran.others] == ["script"]


def test_the_number_of_the_build_is_that_of_the_pull_request_where_there_is_none(tmp_path: Path) -> None:
    given = values(BUILD_NUMBER="12")
    ran = Server(tmp_path / "x").run(["sh"], user_data(SCRIPT, "setup.sh", given, 90))
    assert ran.files["SPINMINT_BUILD"] == b"12"
    must_be_harmless(ran, given)


@pytest.mark.parametrize("seed", range(20))
def test_s16_user_data_has_nothing_of_anybody_in_it(seed: int) -> None:
    """S-16: whatever the values are, they differ in base64 alone."""
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    first, second = (
        user_data(SCRIPT, "setup.sh", VALUES | {name: hostile(dice) for name in FREE}, 90).decode().splitlines()
        for _ in range(2)
    )
    assert first != second
    assert [_without_base64(line) for line in first] == [_without_base64(line) for line in second]


def _without_base64(line: str) -> str:
    return re.sub(r"'[A-Za-z0-9+/=]*' \| base64 -d", "", line)


@each_shell
def test_its_interpreter_is_the_scripts_own_and_only_root_reads_it(shell: list[str], tmp_path: Path) -> None:
    script = '#!/bin/bash -e\numask >mask\nwords=(a b)\nprintf %s "${words[1]}$-" >array\nexit 0\n'
    mask = os.umask(0o027)
    try:
        ran = Server(tmp_path / "x").run(shell, user_data(script, "setup.sh", VALUES, 90))
    finally:
        os.umask(mask)
    assert ran.files["mask"].strip() == b"0027"
    assert ran.files["array"].startswith(b"be")
    path = tmp_path / "x" / ran.others[0]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o700, 0o700)
    assert path.read_text() == script


def test_nobody_waits_for_the_loop(tmp_path: Path) -> None:
    """Whoever reads the output to its end, as cloud-init does, gets there though the loop goes on."""
    server = Server(tmp_path / "x")
    server.prepare()
    (tmp_path / "x/bin/sleep").unlink()
    (tmp_path / "x/bin/sleep").symlink_to(str(shutil.which("sleep")))
    started = subprocess.Popen(
        ["/bin/sh", "-c", user_data("#!/bin/sh\necho done\n", "setup.sh", VALUES, 90)],
        env={"PATH": str(tmp_path / "x/bin"), "TMPDIR": str(tmp_path / "x/tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        assert started.communicate(timeout=10)[0] == b"done\n"
    finally:
        os.killpg(started.pid, signal.SIGKILL)


def test_s17_the_first_line_ends_the_server() -> None:
    """S-17: the dead man's switch."""
    lines = user_data(SCRIPT, "setup.sh", VALUES, 90).splitlines()
    assert lines[:2] == [b"#!/bin/sh", b"shutdown -h +90"]


BOOTS = b"/var/lib/cloud/scripts/per-boot"
LATER, EARLIER = NOW + 7_200, NOW + 601
ROUNDS: dict[str, tuple[list[str | None], list[str]]] = {
    "later": ([str(LATER)], ["-c", "-h +120"]),
    "earlier, and whole minutes": ([str(EARLIER)], ["-c", "-h +11"]),
    "over": ([str(NOW - 9_999)], ["-c", "-h +1"]),
    "just now": ([str(NOW)], ["-c", "-h +1"]),
    "the same again": ([str(LATER), str(LATER)], ["-c", "-h +120"]),
    "twice": ([str(LATER), str(EARLIER)], ["-c", "-h +120", "-c", "-h +11"]),
    "with a newline": ([f"{LATER}\n"], ["-c", "-h +120"]),
    "after a failure": ([None, None, str(LATER)], ["-c", "-h +120"]),
}
GARBAGE = (
    "", "\n", "never", "-5", "+5", "1e9", "0x70000000", "017777777777", "0", " 1800007200", "1800007200 ", "18000072.0",
    "1800007200\n1", "18000072001", "1" * 5_000, "$(touch pwned)",
    "`touch pwned`", "a[$(touch pwned)]", "1;touch pwned",
    "*", "?", "-h", "<html>404</html>", "was", "١٨٠٠٠٠٧٢٠٠", "1800007200\r", "1_800_007_200", "'", '"', "\\",
)  # fmt: skip


@each_shell
@pytest.mark.parametrize("case", ROUNDS)
def test_s17_the_end_moves_with_the_tag(shell: list[str], case: str, tmp_path: Path) -> None:
    """S-17: a server is extended without anybody logging in."""
    answers, moved = ROUNDS[case]
    server = Server(tmp_path / "x", tuple(answers))
    ran = server.run(shell, user_data(SCRIPT, "setup.sh", VALUES, 90))
    assert ran.calls["shutdown"] == ["-h +90", *moved]
    assert set(ran.calls["sleep"]) == {"180"}


@each_shell
def test_s17_a_server_that_boots_again_has_its_switch(shell: list[str], tmp_path: Path) -> None:
    """S-17: user data runs at the first boot alone; cloud-init runs what is in this folder at each."""
    (tmp_path / "boots").mkdir()
    data = user_data(SCRIPT, "setup.sh", VALUES, 90)
    assert data.count(BOOTS) == 1
    must_be_harmless(Server(tmp_path / "x").run(shell, data.replace(BOOTS, f"{tmp_path}/boots".encode())), VALUES)
    [script] = (tmp_path / "boots").iterdir()
    assert script.stat().st_mode & 0o777 == 0o700
    ran = Server(tmp_path / "again", (str(LATER),)).run(shell, script.read_bytes())
    assert ran.calls["shutdown"] == ["-h +90", "-c", "-h +120"]
    assert (ran.output, ran.files, ran.others) == ("", {}, [])


@each_shell
def test_s17_only_a_number_moves_the_end(shell: list[str], tmp_path: Path) -> None:
    """S-17: and what else is answered does nothing at all."""
    ran = Server(tmp_path / "x", GARBAGE).run(shell, user_data(SCRIPT, "setup.sh", VALUES, 90))
    must_be_harmless(ran, VALUES)


def test_an_end_that_could_not_be_moved_is_moved_the_next_time(tmp_path: Path) -> None:
    server = Server(tmp_path / "x", (str(LATER), str(LATER), str(LATER)))
    (tmp_path / "x").mkdir()
    (tmp_path / "x/refuse.1").touch()
    ran = server.run(["sh"], user_data(SCRIPT, "setup.sh", VALUES, 90))
    assert ran.calls["shutdown"] == ["-h +90", *["-c", "-h +120"] * 2]


@pytest.mark.parametrize("downloader", ["curl", "wget"])
def test_the_tag_is_read_with_a_token(downloader: str, tmp_path: Path) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html."""
    ran = Server(tmp_path / "x", (str(LATER),), downloader).run(["sh"], user_data(SCRIPT, "setup.sh", VALUES, 90))
    put, get = ran.calls[downloader]
    assert "PUT" in put
    assert put.endswith("X-aws-ec2-metadata-token-ttl-seconds: 60 http://169.254.169.254/latest/api/token")
    path = "meta-data/tags/instance/mattermod-ends"
    assert get.endswith(f"X-aws-ec2-metadata-token: TOKEN http://169.254.169.254/latest/{path}")
    assert ran.calls["shutdown"] == ["-h +90", "-c", "-h +120"]


@pytest.mark.parametrize("downloader", [name for name in ("curl", "wget") if shutil.which(name)])
def test_s17_the_tag_is_read_by_what_there_is(downloader: str, tmp_path: Path) -> None:
    """S-17: from a server that answers as EC2's does, the first time that there is no such tag."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as metadata:
        threading.Thread(target=metadata.serve_forever, daemon=True).start()
        here = f"127.0.0.1:{metadata.server_port}".encode()
        data = user_data(SCRIPT, "setup.sh", VALUES, 90).replace(b"169.254.169.254", here)
        Metadata.answers = [(404, "<html>404</html>"), (200, str(LATER)), (500, "1800000000"), (200, str(EARLIER))]
        ran = Server(tmp_path / "x", ("",) * 4, downloader, is_real=True).run(["sh"], data)
        metadata.shutdown()
    assert ran.calls["shutdown"] == ["-h +90", "-c", "-h +120", "-c", "-h +11"]
    must_be_harmless(replace(ran, calls={"shutdown": ["-h +90"]}), VALUES)


class Metadata(BaseHTTPRequestHandler):
    """A token for who asks with a lifetime, and one of `answers` for who shows it."""

    answers: ClassVar[list[tuple[int, str]]]

    def do_PUT(self) -> None:
        asked = (self.path, self.headers["X-aws-ec2-metadata-token-ttl-seconds"])
        self.answer(200 if asked == ("/latest/api/token", "60") else 400, "A-TOKEN==")

    def do_GET(self) -> None:
        asked = (self.path, self.headers["X-aws-ec2-metadata-token"])
        is_right = asked == ("/latest/meta-data/tags/instance/mattermod-ends", "A-TOKEN==")
        self.answer(*(self.answers.pop(0) if is_right else (401, "")))

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Nobody reads it."""


MISTAKES = {
    "echo $SPINMINT_BRANHC": 'SPINMINT_BRANHC is no variable of a setup script, did you mean "SPINMINT_BRANCH"?',
    "echo ${SPINMINT_ZZZZZZZZZZZZZZZ:-1}": "SPINMINT_ZZZZZZZZZZZZZZZ is no variable of a setup script: these are ",
    "echo $SPINMINT_NUMBERS": "SPINMINT_NUMBERS is no variable",
    "git checkout 'BRANCH_NAME'": "BRANCH_NAME stands where no shell expands it: use double quotes, and $",
    """sed -i "s/'//" 's/x/BUILD_NUMBER/' f""": "BUILD_NUMBER stands where no shell expands it: use double quotes",
    r"echo \' 'a PR-BUILD_NUMBER'": "PR-BUILD_NUMBER stands where no shell expands it",
    r"echo C:\BRANCH_NAME": "BRANCH_NAME stands where no shell expands it",
    "export BRANCH_NAME": "BRANCH_NAME is a variable's name here, and what pull requests fill in: name it otherwise",
    "if ! read -r BUILD_NUMBER; then": "BUILD_NUMBER is a variable's name here",
    "; unset BRANCH_NAME": "BRANCH_NAME is a variable's name here",
    "for BRANCH_NAME in a b; do": "BRANCH_NAME is a variable's name here",
    'sudo bash -ec "git checkout BRANCH_NAME"': "BRANCH_NAME would be run as a program, and anybody may name one",
    'eval "x=BRANCH_NAME"': "BRANCH_NAME would be run as a program",
    'su - mattermost -c "./run BRANCH_NAME"': "BRANCH_NAME would be run as a program",
    'ssh host "git checkout BRANCH_NAME"': "BRANCH_NAME would be run as a program",
    "echo a\0b": "has a NUL or half a character: save it as UTF-8",
    "echo \udc80": "has a NUL or half a character: save it as UTF-8",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_s16_a_placeholder_that_is_none_is_a_mistake_with_its_line(line: str) -> None:
    """S-16: both before anything is known, and when it is."""
    script = f"#!/bin/bash\n\n{line}\necho $SPINMINT_NOT_REACHED\n"
    with pytest.raises(Mistake) as first:
        check(script, "ci/setup.sh")
    with pytest.raises(Mistake) as second:
        user_data(script, "ci/setup.sh", VALUES, 90)
    assert str(first.value) == str(second.value)
    assert str(first.value).startswith(f"ci/setup.sh:3: {MISTAKES[line]}")
    assert "\n" not in str(first.value)


RIGHT = (
    "it=\"it's BRANCH_NAME\"", "echo 'a' BRANCH_NAME 'b'", r"echo \'BRANCH_NAME", "export URL=https://x/BRANCH_NAME",
    'export X="a BRANCH_NAME"', "echo read BRANCH_NAME", "env | grep ^SPINMINT_", "MY_SPINMINT_X=1", "BRANCH_NAME=x",
    "BRANCH_NAMES=1", "echo $BRANCH_NAME ${BRANCH_NAME}", "# don't mind BRANCH_NAME", 'bash -c "echo BUILD_NUMBER"',
    "for each in BRANCH_NAME; do", "awk '{print ENVIRON[\"SPINMINT_BRANCH\"]}'", "echo \"\\\"'BRANCH_NAME'\"",
    "curl -c BRANCH_NAME", "bash -e ./build BRANCH_NAME",
)  # fmt: skip


@pytest.mark.parametrize("line", RIGHT)
def test_what_is_right_is_no_mistake(line: str) -> None:
    check(f"#!/usr/bin/env bash\n{line}\n", "setup.sh")


@pytest.mark.parametrize("word", WORDS)
def test_words_are_filled_in_for_shells_alone(word: str) -> None:
    with pytest.raises(
        Mistake, match=rf"^setup.py:2: {word} is filled in for shells alone: read SPINMINT_\w+ instead$"
    ):
        check(f"#!/usr/bin/env python3\nprint('{word}')\n", "setup.py")
    check("#!/usr/bin/env python3\nimport os\nprint(os.environ['SPINMINT_BRANCH'])\n", "setup.py")


@pytest.mark.parametrize(
    "begin", ["", "echo\n", "\n#!/bin/sh\n", " #!/bin/sh\n", "\ufeff#!/bin/sh\n", "#!\n", "#! sh\n"]
)
def test_a_script_begins_with_its_interpreter(begin: str) -> None:
    with pytest.raises(Mistake, match=r"^setup.sh:1: names no interpreter: begin with one, such as #!/bin/sh$"):
        check(begin, "setup.sh")
    with pytest.raises(Mistake, match=r"^setup.sh:1: ends as lines do on Windows"):
        check("#!/bin/sh\r\necho\r\n", "setup.sh")


@pytest.mark.parametrize("free", FREE)
@pytest.mark.parametrize("text", ["a\0b", "\ud83d"])
def test_what_no_environment_holds_is_a_mistake(free: str, text: str) -> None:
    with pytest.raises(Mistake, match=rf"^setup.sh:1: {free} has a NUL or half a character"):
        user_data(SCRIPT, "setup.sh", VALUES | {free: text}, 90)


def sized(size: int) -> str:
    return "#!/bin/sh\n" + "#" * (size - 10)


def test_s16_more_than_ec2_takes_is_a_mistake_before_it_is_sent() -> None:
    """S-16: the limit is met exactly, the room that is told is room, and a byte more is not."""
    fits = bisect_left(range(12_000), x=True, lo=1_000, key=lambda size: not _length(size, 1)) - 1
    longest = max(more for more in range(5) if _length(fits, 10**more))
    assert _length(fits, 10**longest) == USER_DATA_LIMIT
    assert longest < 4
    with pytest.raises(Mistake) as caught:
        user_data(sized(fits + 1), "setup.sh", VALUES, 1)
    said = f"has {fits + 1} bytes, and there is room for {fits}: fetch the rest from inside the script"
    assert str(caught.value) == f"setup.sh:1: {said}"


def _length(size: int, minutes: int) -> int:
    """How long the user data is, 0 where it is refused."""
    try:
        return len(user_data(sized(size), "setup.sh", VALUES, minutes))
    except Mistake:
        return 0


def test_a_long_line_is_looked_through_in_no_time() -> None:
    started = time.monotonic()
    check("#!/bin/sh\n" + ("sh -a 'b' \"BRANCH_NAME\" " * 350) + "\n", "setup.sh")
    assert time.monotonic() - started < 5


def test_a_script_that_never_fits_is_a_mistake_at_once() -> None:
    with pytest.raises(Mistake, match=r"^setup.sh:1: has 13000 bytes, and there is room for \d{4,5}: "):
        check(sized(13_000), "setup.sh")


def test_room_is_told_in_bytes_of_the_file() -> None:
    """Words that become longer take room, too."""
    script = sized(9_000) + "\n" + "echo BRANCH_NAME\n" * 200
    with pytest.raises(Mistake, match=rf" has {len(script)} bytes, and there is room for ") as caught:
        check(script, "setup.sh")
    assert int(str(caught.value).partition("room for ")[2].partition(":")[0]) < len(script)


def test_r09_the_same_arguments_make_the_same_bytes() -> None:
    """R-09: EC2 refuses a launch that is repeated with others."""
    given = values(BRANCH=BRANCH)
    first, second = (
        user_data(ORIGINAL, "setup.sh", dict(items), 90) for items in (given.items(), [*given.items()][::-1])
    )
    assert first == second


WRONG = [
    ("SPINMINT_NUMBER", ["", "0", "-1", "07", "1\n", "x", "٣", "1;touch pwned"]),
    ("SPINMINT_SHA", ["", "main", SHA[1:], SHA + "0", SHA.upper(), SHA + "\n"]),
    ("SPINMINT_REPOSITORY", ["", "hello", "a/b/c", "a/..", "a/b\n", "$(x)/b"]),
    ("SPINMINT_BUILD_NUMBER", ["0", "x", "12\n", "1 2"]),
]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG for text in texts])
def test_what_a_caller_has_to_check_is_checked_again(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        user_data(SCRIPT, "setup.sh", VALUES | {name: text}, 90)


def test_a_caller_gives_each_variable_and_a_time() -> None:
    assert user_data(SCRIPT, "setup.sh", values(SHA="a" * 64), 1)
    with pytest.raises(ValueError, match="minutes"):
        user_data(SCRIPT, "setup.sh", VALUES, 0)
    with pytest.raises(ValueError, match="SPINMINT_BUILD'"):
        user_data(SCRIPT, "setup.sh", values(BUILD="1"), 90)
    with pytest.raises(ValueError, match="SPINMINT_AUTHOR"):
        user_data(SCRIPT, "setup.sh", {name: VALUES[name] for name in GIVEN - {"SPINMINT_AUTHOR"}}, 90)


def test_mm95_no_mistake_repeats_the_script() -> None:
    """MM-95: nor a value."""
    for line in MISTAKES:
        script = f"#!/bin/sh\nTOKEN=hunter2\n{line} hunter2 {'x' * 10_000}\n"
        with pytest.raises(Mistake) as caught:
            user_data(script, "setup.sh", values(BRANCH="hunter2"), 90)
        assert "hunter2" not in f"{caught.value}"
