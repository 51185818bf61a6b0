"""Texts of anybody's that a shell or printf could stumble over; where one is run, a file called pwned appears."""

from __future__ import annotations

import random

BRANCH = "x$(touch${IFS}pwned)"  # a legal name of a branch, and what the original ran
TOUCH = "touch pwned"
COMMANDS = [
    before + middle + after
    for middle in (TOUCH, "touch${IFS}pwned", ">pwned", "touch$IFS$9pwned")
    for before, after in (
        ("$(", ")"), ("`", "`"), ("'; ", "; '"), ('"; ', '; "'), ("' | ", " | '"), ("\n", "\n"), ("; ", ""),
        ("& ", " &"), ("' | base64 -d)\n", "\n'"), ('")\n', '\nx=("'), ("\nEOF\n", "\n<<EOF\n"), ("${x:-$(", ")}"),
        ("a[$(", ")]=1"), ("() { :; }; ", ""), ("<(", ")"), ("$((a[$(", ")]))"), ("{", ",}"), ("\\", ""),
        ("\r\n", "\r\n"), ("|| ", ""),
    )
]  # fmt: skip
OTHERS = [
    BRANCH, "", "'", '"', "`", "''", '""', "\\", "\\'", '\\"', "$", "$$", "$!", "$?", "$*", "$@", "${", "${}", "$(",
    "$((1))", "${SPINMINT_SHA}", "$SPINMINT_SHA", "$PATH", "${#}", "%s%n", "%", "%%", "%d", "%b\\n", "\\n", "\\0",
    "\\x41", "\\c", "!!", "!1", "#", "# x", "#!/bin/sh", "*", "?", "[a-z]*", "/*", "~", "~root", "=", "a=b", "=a",
    "PATH=/x", "-", "--", "-n", "-e", "-x", "--option", "--help", "-rf /x", ";", "|", "&", "<", ">", ";|&<>", ";;",
    "&&", "||", "<<EOF", "EOF", "(", ")", "{", "}", "[", "]", "[[", "if", "exit 1", "exec false", "return", "kill 0",
    ".", "..", "../../x", "/etc/passwd", " ", "   ", "\t", " a ", "a  b", "a\tb", "\n", "\n\n\n", "a\n", "a\n\n",
    "\na", "a\nb", "a\n\nb", "\r", "a\r", "\r\n", "a\r\nb", "\v\f", "\x01\x02\x03", "\x07", "\x08",
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x7f", "\x9b31m", "é", "日本語", "🦄", "👩\u200d👧", "\u202egnp.exe",
    "\u200b", "\ufeff", "\u2028\u2029", "\uffff", "\U0010ffff", "e\u0301", "\u0131", "ß", "A" * 76, "A" * 77,
    "=" * 9, "QUJD", "x" * 10_000, "'" * 1_000, "$(" * 400, "SCRIPT", "{minutes}", "BRANCH_NAME", "BUILD_NUMBER",
    "octo-org/hello", "0", "-1", "1e9", "null", "<script>", "&amp;", "' OR 1=1 --", "${jndi:ldap://x}",
]  # fmt: skip
NASTY = "$`'\"\\(){}[]<>|&;*?~!#%=-+/ \t\n\r\x1baZ09_é🦄\u202e"


def hostile(dice: random.Random) -> str:
    """Make one of up to sixty characters of the worst kind, or of what was made of them before."""
    return "".join(dice.choice([*NASTY, BRANCH, TOUCH, "pwned"]) for _ in range(dice.randint(1, 60)))


HOSTILE = [*COMMANDS, *OTHERS, *(hostile(random.Random(seed)) for seed in range(100))]  # noqa: S311  # repeatable
