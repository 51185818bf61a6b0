"""What people get to see: log lines, annotations, the step summary, outputs, and the exit code.

Everything that came from outside may try to speak to the runner, so each line goes out through `lines.py`.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mattermod_action.errors import Conflicting, Down, MayNot, Mistake, Refused
from mattermod_action.figures import Calls, Figures
from mattermod_action.lines import command, safe, say
from mattermod_action.public import Hidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from mattermod_action.events import PickEnded, Repository, ServerChanged
    from mattermod_action.picks import Standing
    from mattermod_action.servers import Row
    from mattermod_action.sweeps import Tally

BUG, MISTAKE, DOWN, REFUSED = 1, 2, 3, 4
TABLE_HEAD = "| feature | because of | result |\n| --- | --- | --- |\n"
WHY_NOT = """
<details><summary>Why not more</summary>

{}
</details>
"""
_PLAIN = re.compile(r"(?!.*(?:://|www\.))[\w ,.:;/+#()'-]*")
_PLACE = re.compile(r"(?P<file>[^:\n]+):(?P<line>\d+): (?P<text>.*)", re.DOTALL)


@dataclass
class Report:
    """Collects what a run did; `finish` publishes it and returns the exit code."""

    fail_on: str = "never"
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    pulls: list[str] = field(default_factory=list)
    server: tuple[str, str] = ("", "")  # the address and the state of the last test server
    failures: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # of the failures those that somebody has to look at
    plan: object = None
    seen: tuple[str, ...] = ()  # the event, in a few words each
    idle: dict[str, str] = field(default_factory=dict)  # features and why nothing came of them
    codes: set[int] = field(default_factory=set)
    hidden: Hidden = field(default_factory=Hidden)
    event: str = ""
    read_only: str = ""  # why the run's token may only read, where its event tells
    as_json: bool = False  # whether the figures are printed at the end
    began: float = field(default_factory=time.monotonic)
    waited: float = 0.0  # seconds
    calls: Calls = field(default_factory=Calls)
    tallies: Sequence[Tally] = ()
    sweep: str = ""  # what the summary has of it
    standing: list[str] = field(default_factory=list)  # tables of picks and test servers

    def hide(self, values: Iterable[str]) -> None:
        """Have nobody see these: neither who reads the log, nor where no runner stars anything out, as in a chat."""
        given = [value for value in values if value]
        self.hidden.forms.update(form for value in given for form in forms_of(value))
        mask(given)

    def row(self, feature: str, because: str, result: str, url: str = "") -> None:
        """Say what became of something: a line in the log and one in the summary, where `url` is a link."""
        self.rows.append((feature, because, f"[{result}]({url})" if url else plain(result)))
        self._say(" ".join(filter(None, [f"{feature}: {because}: {result}", url])))

    def picked(self, feature: str, ended: PickEnded) -> None:
        """Say what was opened, and what failed, which is red where `fail-on` asks for it."""
        self.pulls += ended.opened
        for url in ended.opened:
            self.row(feature, ended.cause, "pull request opened", url)
        for line in ended.failed:
            kind = Mistake if line in ended.mistakes else Refused
            self.problem(kind(f"not picked onto {safe(line)}"))
        for line in ended.noted:
            self.problem(Refused(safe(line)))
        for line in ended.conflicted:
            self.problem(Conflicting(f"conflicts with {safe(line)}"))

    def served(self, feature: str, because: str, changed: ServerChanged) -> None:
        """Say how a test server stands, and what there is to read of it."""
        from mattermod_action.servers import ENDINGS  # only runs that have one pay for it

        if row := changed.row:
            self.server = (row.link if row.is_up else "", row.state)
            self.row(feature, because, f"test server of #{row.number}: {row.state}", row.link if row.is_up else "")
            if row.reason and not (row.live or changed.asked or changed.error or row.reason in ENDINGS):
                self.problem(Refused(f"no test server for #{row.number}: {safe(row.reason)}"))
        for line in changed.log:
            self._say(f"  {line}")

    def swept(self, tallies: Sequence[Tally], now: datetime) -> None:
        """Say what a sweep has come to in each repository: in the log a line, in the summary tables of their own."""
        from mattermod_action.sweep_report import summary

        self.tallies, self.sweep = tallies, summary(tallies, self.calls, now)
        for tally in tallies:
            counted = f"{tally.looked_at} looked at, {tally.changed} changed" if tally.looked_at else ""
            self._say(f"sweep: {tally.repository}: {', '.join(filter(None, [tally.outcome, counted]))}")

    def stands(self, repository: Repository, standings: Sequence[Standing], servers: Sequence[Row]) -> None:
        """Say how the picks and the test servers of a repository stand."""
        from mattermod_action import sweep_report

        name = repository.full_name
        self.standing += filter(None, [sweep_report.picks(name, standings), sweep_report.servers(name, servers)])

    def problem(self, error: Exception, where: str = "", *, parked: bool = False) -> None:
        """Note what went wrong once; the same line of several effects is one problem."""
        code = 0 if parked else _code(error, self.fail_on)
        self.codes.add(code)
        for line in _lines(error, self.read_only):
            text = self.hidden.failure(f"{where}: {line}" if where and code == BUG else line)
            if text not in self.failures:
                self.failures.append(text)
                self.errors += [text] if code in (BUG, MISTAKE, DOWN) else []
                annotate("error" if code else "warning", text)
        if code == BUG:
            _fold_trace([self.hidden.failure(line) for line in _trace(error)])

    def _say(self, line: str) -> None:
        say(self.hidden.shown(line))

    def finish(self) -> int:
        _append("GITHUB_STEP_SUMMARY", self.hidden.shown(self._summary()))
        for name in ("comments", "failures", "pulls", "plan"):
            _output(name, self.hidden.shown(json.dumps(getattr(self, name), ensure_ascii=True)))
        for name, text in zip(("spinmint-url", "spinmint-state"), self.server, strict=True):
            _output(name, self.hidden.shown(text))
        code = min((code for code in self.codes if code), default=0)
        if self.as_json:
            self._say(json.dumps(self._figures(failed=bool(code)).as_json()))
        return code

    def _figures(self, *, failed: bool) -> Figures:
        seconds = time.monotonic() - self.began
        return Figures(
            event=self.event, failed=failed, seconds=seconds, waited=self.waited, calls=self.calls, tallies=self.tallies
        )

    def _summary(self) -> str:
        """What was seen, what was done about it, what went wrong, and folded: why not more."""
        seen = f"Seen: {', '.join(map(cell, self.seen))}\n\n" if self.seen else ""
        lines = [f"| {plain(feature)} | {cell(because)} | {result} |\n" for feature, because, result in self.rows]
        nothing = f"Nothing {'was done' if self.failures else 'to do'}.\n"
        failures = [f"\n- \u26a0\ufe0f {cell(failure)}\n" for failure in self.failures]
        done = TABLE_HEAD + "".join(lines) if lines else nothing if not self.sweep else ""
        more = f"{''.join(failures)}{self.sweep}{''.join(self.standing)}"
        return f"### mattermod\n\n{seen}{done}{more}{self._why_not()}"

    def _why_not(self) -> str:
        """Each reason once, with the features of which nothing came because of it."""
        told = {feature for feature, _, _ in self.rows}
        reasons: dict[str, list[str]] = {}
        for feature, reason in self.idle.items():
            if feature not in told:
                reasons.setdefault(reason, []).append(feature)
        lines = [f"- {plain(reason)}: {', '.join(features)}\n" for reason, features in reasons.items()]
        return WHY_NOT.format("".join(lines)) if lines else ""


def annotate(level: str, text: str) -> None:
    """Show `text` at the run (and at its file and line, when it starts with them); plain outside Actions."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        sys.stderr.write(f"{level}: {safe(text)}\n" if level != "error" else f"{safe(text)}\n")
        return
    place = _PLACE.fullmatch(text)
    where = {"file": safe(place["file"]), "line": place["line"]} if place else {}
    command(level, safe(text), **where)


def mask(values: Iterable[str]) -> None:
    """Have the runner star out each value and the forms it may turn up in; before its first use."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    for form in sorted({form for value in values if value for form in forms_of(value)}):
        command("add-mask", form)


def cell(text: str) -> str:
    """Text from outside as a code span in a table: no mention, link, image or HTML comes out of it."""
    flat = safe(text).replace("|", "\u2502").replace("`", "\u02cb")
    return f"`{flat}`" if flat.strip() else ""


def plain(text: str) -> str:
    """Text that becomes nothing in Markdown as it is, all other as a cell."""
    return text if _PLAIN.fullmatch(text) else cell(text)


def _code(error: Exception, fail_on: str) -> int:
    match error:
        case Mistake():
            return MISTAKE
        case Down():
            return DOWN
        case Conflicting():
            return REFUSED if fail_on == "conflict" else 0
        case Refused():
            return 0 if fail_on == "never" else REFUSED
    return BUG


def _lines(error: Exception, read_only: str) -> list[str]:
    if isinstance(error, MayNot) and error.main and read_only:
        return [f"{error.what}: {read_only}"]
    if isinstance(error, (Mistake, Down, Refused)):
        return str(error).splitlines() or [type(error).__name__]
    return [f"a bug: {type(error).__name__}{f': {error}' if _is_debugged() else _where(error)}"[:500]]


def _is_debugged() -> bool:
    """https://docs.github.com/en/actions/reference/workflows-and-actions/variables (RUNNER_DEBUG)."""
    return os.environ.get("RUNNER_DEBUG") == "1"


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _trace(error: Exception) -> list[str]:
    """Where it happened. The texts of errors hold what was read, such as a row: debug logging asks for them."""
    if _is_debugged():
        return "".join(traceback.format_exception(error)).splitlines()
    chain: list[BaseException] = [error]
    while (before := chain[0].__cause__ or chain[0].__context__) and before not in chain:
        chain.insert(0, before)
    lines = [line for each in chain for line in (*traceback.format_tb(each.__traceback__), type(each).__name__)]
    return "\n".join(lines).splitlines()


def _fold_trace(lines: Iterable[str]) -> None:
    pause = secrets.token_hex(16)
    command("group", "trace")
    command("stop-commands", pause)
    for line in lines:
        say(f"  {line}")
    command(pause)
    command("endgroup")


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _output(name: str, text: str) -> None:
    """One line, between delimiters that nobody can guess."""
    fence = f"mattermod-{secrets.token_hex(16)}"
    _append("GITHUB_OUTPUT", f"{name}<<{fence}\n{text}\n{fence}\n")


def forms_of(value: str) -> Iterable[str]:
    import base64  # only runs that have something to hide pay for it
    from urllib.parse import quote

    yield from (line for line in value.splitlines() if line.strip())
    yield quote(value, safe="")
    yield json.dumps(value)[1:-1]
    yield base64.b64encode(value.encode()).decode()
    yield base64.b64encode(f"x-access-token:{value}".encode()).decode()
