"""The user data of a test server: the user's script, and in its environment what is known of the pull request.

The script is a file of the repository, for any interpreter that the image has. It begins with `#!`, is run as root when
the server starts for the first time, and finds these variables, each of them always there:

| variable | what it holds |
| --- | --- |
| SPINMINT_NUMBER | the number of the pull request |
| SPINMINT_SHA | the commit, in full |
| SPINMINT_BRANCH | the branch of the pull request, named by anybody; it may have moved, so fetch SPINMINT_SHA |
| SPINMINT_REPOSITORY | OWNER/NAME |
| SPINMINT_AUTHOR | the login of who opened it |
| SPINMINT_BUILD_NUMBER | the number of the build, empty where none was waited for |
| SPINMINT_BUILD_URL | its page, or empty |
| SPINMINT_BUILD | the number of the build, or where there is none that of the pull request |
| SPINMINT_DNS_SUFFIX | the domain below which the server gets its name |
| SPINMINT_PASSWORD | the name of what holds the administrator's password, or empty; never the password |

Newlines at the end of a value are not kept. Write `"$SPINMINT_BRANCH"`, with its quotes: without them a shell splits it
at white space and looks for files that fit its `*`, though it never runs it. What the script hands on to `eval` or to a
`sh -c`, is its own affair.

Shell scripts for the original bot go on working: BRANCH_NAME, BUILD_NUMBER and PR-BUILD_NUMBER become references to
these variables where they are words of their own, with no letter, digit, `_`, `-`, `$` or `${` before and no letter,
digit, `_` or `=` after them. In single quotes, after a backslash, as the name of a variable, and in what is run as a
program, that would not do, and is a mistake; nothing is said against a reference that is written out. Only the word's
own line is looked at. Not seen are quotes that begin on an earlier one, here-documents whose end is quoted, and `'` in
a `$(…)` in double quotes, where the script gets the reference itself; nor that text is run later on, out of a file, a
pipe or a here-document: whoever does that puts `"$SPINMINT_BRANCH"` in single quotes there.

Everybody on the server can read all this, so it holds no secrets. `/tmp` has to allow programs.
"""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mattermod_action.errors import Mistake
from mattermod_action.events import is_full_name
from mattermod_action.spinmints import USER_DATA_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLES = (
    "SPINMINT_NUMBER", "SPINMINT_SHA", "SPINMINT_BRANCH", "SPINMINT_REPOSITORY", "SPINMINT_AUTHOR",
    "SPINMINT_BUILD_NUMBER", "SPINMINT_BUILD_URL", "SPINMINT_BUILD", "SPINMINT_DNS_SUFFIX", "SPINMINT_PASSWORD",
)  # fmt: skip
GIVEN = frozenset(VARIABLES) - {"SPINMINT_BUILD"}  # by the caller; the other follows from them
# The original put the values themselves into the text, a branch like all others: `setupSpinmint` in server/spinmint.go.
# https://github.com/mattermost/mattermost-mattermod
WORDS = {
    "PR-BUILD_NUMBER": "commit/${SPINMINT_SHA}",
    "BUILD_NUMBER": "${SPINMINT_BUILD}",
    "BRANCH_NAME": "${SPINMINT_BRANCH}",
}
COMMAND = 300  # characters before a word in which the command is looked for that it belongs to
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"})

_VARIABLE = re.compile(r"(?<![A-Za-z0-9_])SPINMINT_[A-Za-z0-9_]+")
_WORD = re.compile(rf"(?<![\w$-])(?<!\$\{{)(?:{'|'.join(WORDS)})(?![\w=])", re.ASCII)
_SHEBANG = re.compile(r"#![ \t]*/[^\s]+")
# What of a line says nothing of the quotes that its end stands in: these are closed, double, or in a comment.
_SETTLED = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*(?:"|$)|(?<!\S)#.*""")
_AT = r"(?:^|[;&|({!]|\b(?:if|elif|while|until|do|then|else)\b)\s*"  # where a command begins
_NAMES = re.compile(rf"{_AT}(?:(?:export|readonly|local|declare|typeset|unset|read)\s(?:[^;&|(]*\s)?|for\s+)$")
_RUNS = re.compile(rf"{_AT}(?:eval|let)\s[^;&|]*$|\b(?:(?:ba|da|k|z)?sh|su)\s[^;&|]*-\w*c\s+$|\bssh\s+\S.*$")
_CHECKED = {
    "SPINMINT_NUMBER": re.compile(r"[1-9][0-9]*"),
    "SPINMINT_SHA": re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"),
    "SPINMINT_BUILD_NUMBER": re.compile(r"(?:[1-9][0-9]*)?"),
}

# A server is extended by its tag, without anybody logging in: this reads the tag, and moves the end of the server. Only
# digits are believed, ten at most and none of them octal. Where it cannot be read the end stands where it was, and a
# move that failed is made the next time. Output goes nowhere, or whoever reads it to its end would wait for ever.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
EXTEND = """\
(
ask() {
if command -v curl >/dev/null
then set -- curl -qsf -m 9 --noproxy '*' -X "$1" -H "X-aws-ec2-metadata-token$2" "http://169.254.169.254/latest/$3"
else set -- wget -qO- -T 9 -t 1 --no-proxy --method="$1" --header="X-aws-ec2-metadata-token$2" \
"http://169.254.169.254/latest/$3"
fi
"$@"
}
was=
while sleep 180
do
token=$(ask PUT '-ttl-seconds: 60' api/token) || continue
ends=$(ask GET ": $token" meta-data/tags/instance/mattermod-ends) || continue
case $ends in "$was"|''|0*|*[!0123456789]*|???????????*) continue;; esac
left=$(( ($ends - $(date +%s) + 59) / 60 ))
[ "$left" -ge 1 ] || left=1
shutdown -c
shutdown -h "+$left" && was=$ends
done
) </dev/null >/dev/null 2>&1 &
"""
# User data is run at the first boot alone, and a boot forgets what `shutdown` was told: so the switch is for each boot.
# https://cloudinit.readthedocs.io/en/latest/reference/modules.html#scripts-per-boot
AGAIN = """\
boots=/var/lib/cloud/scripts/per-boot
[ ! -d "$boots" ] || (umask 077; head -n LINES "$0" >"$boots/mattermod" && chmod 700 "$boots/mattermod")
"""
# The script, for root alone, so that its first line counts; umask stays what the image has.
START = """\
made=$(mktemp -d) || exit
(umask 077; SCRIPT >"$made/script" && chmod 700 "$made/script") || exit
exec "$made/script"
"""


def user_data(script: str, name: str, values: Mapping[str, str], minutes: int) -> bytes:
    """Compose it of a script, whose path is `name`, and a value for each of GIVEN; the server ends after `minutes`.

    The same arguments make the same bytes, as a launch that is repeated needs them. Raises Mistake, one line that
    begins with the script's path and line; ValueError for values that a caller has to have checked.
    """
    _must_be_right(values, minutes)
    build = values["SPINMINT_BUILD_NUMBER"] or values["SPINMINT_NUMBER"]
    text = _filled(script, name)
    return _fitting(script, text, name, {**values, "SPINMINT_BUILD": build}, minutes)


def check(script: str, name: str) -> None:
    """Raise the Mistake, if any, that `user_data` would raise for this script whatever the values are."""
    _fitting(script, _filled(script, name), name, dict.fromkeys(VARIABLES, ""), 1)


def _must_be_right(values: Mapping[str, str], minutes: int) -> None:
    if values.keys() != GIVEN:
        raise ValueError(f"not the variables of a setup script: {sorted(values.keys() ^ GIVEN)}")
    wrong = [name for name, pattern in _CHECKED.items() if not pattern.fullmatch(values[name])]
    if not is_full_name(values["SPINMINT_REPOSITORY"]):
        wrong.append("SPINMINT_REPOSITORY")
    if wrong or minutes < 1:
        raise ValueError(f"not checked before it came to a setup script: {wrong or 'minutes'}")


def _filled(script: str, name: str) -> str:
    """The script with the original's words as references; a Mistake for the first line that cannot stay."""
    lines = script.split("\n")
    for number, line in enumerate(lines, 1):
        if not _is_text(line):
            raise Mistake(f"{name}:{number}: has a NUL or half a character: save it as UTF-8")
    if not _SHEBANG.match(lines[0]):
        # https://cloudinit.readthedocs.io/en/latest/explanation/format.html
        raise Mistake(f"{name}:1: names no interpreter: begin with one, such as #!/bin/sh")
    if lines[0].endswith("\r"):
        raise Mistake(f"{name}:1: ends as lines do on Windows, and so names no interpreter: save it with LF alone")
    if len(script) > USER_DATA_LIMIT:
        return script  # it does not fit, whatever else is wrong with it
    is_shell = any(PurePosixPath(word).name in SHELLS for word in lines[0].removeprefix("#!").split())
    return "\n".join(_line(line, f"{name}:{number}", is_shell=is_shell) for number, line in enumerate(lines, 1))


def _is_text(text: str) -> bool:
    """Whether an environment can hold it."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _line(line: str, where: str, *, is_shell: bool) -> str:
    for found in _VARIABLE.finditer(line):
        if found[0] not in VARIABLES:
            raise Mistake(f"{where}: {found[0]} is no variable of a setup script{_hint(found[0])}")
    return _WORD.sub(lambda found: _reference(found, where, is_shell=is_shell), line)


def _hint(word: str) -> str:
    from mattermod_action.source import suggestion

    return suggestion(word, VARIABLES) or f": these are {', '.join(VARIABLES)}"


def _reference(found: re.Match[str], where: str, *, is_shell: bool) -> str:
    """What stands for one of the original's words, where a shell puts a value in its place and does nothing else."""
    word, cure = found[0], WORDS[found[0]]
    if not is_shell:
        raise Mistake(f"{where}: {word} is filled in for shells alone: read {_VARIABLE.findall(cure)[0]} instead")
    before = _SETTLED.sub("", found.string[: found.start()])
    command = before[-COMMAND:]
    if "'" in before or before.endswith("\\"):
        raise Mistake(f"{where}: {word} stands where no shell expands it: use double quotes, and {cure} in them")
    if _NAMES.search(command):
        raise Mistake(f"{where}: {word} is a variable's name here, and what pull requests fill in: name it otherwise")
    if word == "BRANCH_NAME" and _RUNS.search(command):
        raise Mistake(f"{where}: {word} would be run as a program, and anybody may name one: pass it as an argument")
    return cure


def _fitting(script: str, text: str, name: str, values: Mapping[str, str], minutes: int) -> bytes:
    """Bytes that EC2 takes; room is told in bytes of the user's file, of which each three become four."""
    for variable in VARIABLES:
        if not _is_text(values[variable]):
            raise Mistake(f"{name}:1: {variable} has a NUL or half a character, which no environment holds: rename it")
    made = _composed(text, values, minutes)
    if len(made) <= USER_DATA_LIMIT:
        return made
    size, encoded = len(script.encode()), len(_base64(text))
    room = (USER_DATA_LIMIT - len(made) + encoded) // 4 * 3 - len(text.encode()) + size
    raise Mistake(
        f"{name}:1: has {size} bytes, and there is room for {max(room, 0)}: fetch the rest from inside the script"
    )


def _composed(text: str, values: Mapping[str, str], minutes: int) -> bytes:
    """A script of sh in which everything that varies is base64, or the number of minutes in its first line.

    That line ends the server, whatever becomes of the rest: it is launched so that this terminates it.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingInstanceInitiatedShutdownBehavior.html
    """
    switch = f"#!/bin/sh\nshutdown -h +{minutes}\n{EXTEND}"
    again = AGAIN.replace("LINES", str(switch.count("\n")))
    assigned = [f"{name}=$({_decoded(values[name])})\nexport {name}\n" for name in VARIABLES]
    return "".join([switch, again, *assigned, START.replace("SCRIPT", _decoded(text))]).encode("ascii")


def _decoded(text: str) -> str:
    """A command that writes the text; none of its characters means anything to a shell."""
    return f"printf %s '{_base64(text)}' | base64 -d"


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
