"""What reaches the log, the summary and the outputs, when texts from outside try to speak to the runner."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mattermod_action.errors import Conflicting, Down, MayNot, Mistake, Refused
from mattermod_action.lines import safe
from mattermod_action.report import Report, annotate, cell, mask, plain

if TYPE_CHECKING:
    from pathlib import Path

# How the runner recognises commands (actions/runner, ActionCommand.TryParseV2 and TryParse):
V2 = re.compile(r"^\s*::[^\n]*?::")
V1 = "##["


@pytest.mark.parametrize(
    "text",
    [
        "::set-output name=x::y", "  ::add-mask::a", "::error::boom", "x ##[command]rm", "a\n::error::b",
        "a\r\n::error::b", "a\u2028::error::b", "\x0b::error::b", "\x1b[31mred", "##[##[", "\t::debug::x",
    ],
)  # fmt: skip
def test_s06_no_text_is_a_command(text: str) -> None:
    """S-06: neither form of workflow command survives, and one text is one line."""
    [line] = safe(text).splitlines()
    assert not V2.match(line)
    assert V1 not in line
    assert "\x1b" not in line


@given(st.text())
def test_s06_any_text_is_one_harmless_line(text: str) -> None:
    lines = safe(text).splitlines()
    assert len(lines) <= 1
    assert all(not V2.match(line) and V1 not in line for line in lines)


@pytest.mark.parametrize("text", ["a|b", "`x`", "@org/team", "<img src=x>", "![](http://x)", "a\nb"])
def test_s21_a_cell_stays_a_cell(text: str) -> None:
    shown = cell(text)
    assert shown.startswith("`")
    assert shown.endswith("`")
    assert not set(shown[1:-1]) & {"`", "|", "\n"}


def test_s07_outputs_are_fenced_by_what_nobody_can_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S-07: a value that contains a delimiter of another run stays a value."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    report = Report()
    report.problem(Refused("x\nmattermod-0\nfailures<<EOF"))
    report.finish()
    report.finish()
    text = (tmp_path / "output").read_text()
    fences = re.findall(r"<<(mattermod-[0-9a-f]{32})\n", text)
    assert len(set(fences)) == len(fences) == 12
    assert json.loads(text.split(f"failures<<{fences[1]}\n")[1].split("\n")[0]) == [
        "x",
        "mattermod-0",
        "failures<<EOF",
    ]


@pytest.mark.parametrize(
    ("errors", "fail_on", "code"),
    [
        ([], "never", 0),
        ([Refused("locked")], "never", 0),
        ([Refused("locked")], "refusal", 4),
        ([Refused("locked")], "failure", 4),
        ([Refused("locked")], "conflict", 4),
        ([Conflicting("a.py")], "conflict", 4),
        ([Conflicting("a.py")], "failure", 0),
        ([Refused("locked"), Down("db")], "refusal", 3),
        ([Down("db"), Mistake("config")], "never", 2),
        ([Mistake("config"), KeyError("bug"), Down("db")], "never", 1),
    ],
)
def test_exit_code_is_the_worst(errors: list[Exception], fail_on: str, code: int) -> None:
    report = Report(fail_on)
    for error in errors:
        report.problem(error)
    assert report.finish() == code


def test_a_mistake_is_shown_at_its_file_and_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    annotate("error", "a.yml:3: label_messages: 100% wrong")
    assert capsys.readouterr().out == "::error file=a.yml,line=3::a.yml:3: label_messages: 100%25 wrong\n"


def test_a_bug_is_one_line_and_a_folded_trace(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    try:
        raise KeyError("::error::x")  # noqa: TRY301  # so that there is a trace
    except KeyError as bug:
        report.problem(bug, "welcome")
    out, err = capsys.readouterr()
    assert re.fullmatch(r"welcome: a bug: KeyError in test_report.py:\d+\n", err)
    first, stop, *trace, resume, last = out.splitlines()
    assert (first, last) == ("::group::trace", "::endgroup::")
    assert resume == f"::{stop.removeprefix('::stop-commands::')}::"
    assert not any(V2.match(line) for line in trace)


def test_s05_what_is_hidden_is_in_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chat has no runner that stars things out, and a bug's text may hold anything."""
    monkeypatch.setenv("RUNNER_DEBUG", "1")
    report = Report()
    report.hide(["s3cr3t/value", "abc", ""])
    report.problem(ValueError("s3cr3t/value in s3cr3t%2Fvalue, abc"))
    assert report.errors == ["a bug: ValueError: *** in ***, abc"]


def test_t22_the_text_of_a_bug_is_for_debug_logging(capsys: pytest.CaptureFixture[str]) -> None:
    """It may hold a row of another repository, or what a database says of an account."""
    report, canary = Report(), "x".join("canary")
    try:
        try:
            raise ValueError(canary)  # noqa: TRY301  # so that there is a trace
        except ValueError as cause:
            raise KeyError(canary) from cause
    except KeyError as bug:
        report.problem(bug)
    report.finish()
    out, err = capsys.readouterr()
    assert canary not in out + err
    assert [name in out for name in ("ValueError", "KeyError", "test_report.py")] == [True] * 3


def test_s05_secrets_are_masked_in_every_form(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """S-05: as given, URL-quoted, in JSON, in base64, as basic auth, and line by line."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    mask(['p@s"s', "one\ntwo", ""])
    hidden = {line.removeprefix("::add-mask::") for line in capsys.readouterr().out.splitlines()}
    assert {'p@s"s', "p%2540s%2522s", 'p@s\\"s', "cEBzInM=", "one", "two"} <= hidden
    assert "" not in hidden


def summary(report: Report, path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path / "summary"))
    report.finish()
    return (path / "summary").read_text()


def test_the_summary_says_what_was_seen_done_and_why_not_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when a reason is left out, or told of a feature that did something."""
    report = Report(seen=("issues labeled", "octo-org/hello#5"))
    report.idle = {"cla": "nothing here calls for it", "welcome": "nothing here calls for it", "greeter": "no | token"}
    report.row("welcome", "opened", "comment posted", "https://x.org/1")
    report.row("label_cleanup", "closed", "remove label a|b <img>")
    assert summary(report, tmp_path, monkeypatch) == (
        "### mattermod\n\nSeen: `issues labeled`, `octo-org/hello#5`\n\n"
        "| feature | because of | result |\n| --- | --- | --- |\n"
        "| welcome | `opened` | [comment posted](https://x.org/1) |\n"
        "| label_cleanup | `closed` | `remove label a\u2502b <img>` |\n"
        "\n<details><summary>Why not more</summary>\n\n"
        "- nothing here calls for it: cla\n- `no \u2502 token`: greeter\n\n</details>\n"
    )


def test_a_summary_of_nothing_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert summary(Report(), tmp_path, monkeypatch) == "### mattermod\n\nNothing to do.\n"


@given(st.text())
def test_s21_plain_text_becomes_nothing_in_markdown(text: str) -> None:
    shown = plain(text)
    assert shown == cell(text) or not set(shown) & set("`|<>[]@*~\\!\n\r")


@pytest.mark.parametrize(("main", "line"), [(True, "it may not: a fork"), (False, "it may not: give it more")])
def test_an_event_is_to_blame_for_the_jobs_own_token_only(*, main: bool, line: str) -> None:
    """GitHub cuts down GITHUB_TOKEN; the tokens of Apps and people keep their permissions."""
    report = Report(read_only="a fork")
    report.problem(MayNot("it may not", "give it more", main=main))
    assert report.errors == [line]
