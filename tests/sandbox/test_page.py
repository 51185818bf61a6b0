"""The page: what stands on it, what its forms do, and that what strangers wrote does nothing there."""

from __future__ import annotations

import http.client
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import requests
from jenkins import Jenkins

from sandbox import deliveries, runs
from sandbox.everything import serve_all
from sandbox.jenkins import API_TOKEN, USER

if TYPE_CHECKING:
    from sandbox import Sandbox

EVIL = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
PULL = "/octo-org/hello/pull/7"


class Tags(HTMLParser):
    """What a browser would take for tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def ask(github: Sandbox, path: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(github.url.removeprefix("http://"), timeout=10)
    body = urlencode(form) if form is not None else None
    sent = {"Origin": github.url, **headers} if form is not None else headers
    connection.request("GET" if form is None else "POST", path, body, sent)
    reply = connection.getresponse()
    assert (
        reply.status == 303
        or "default-src 'none'" in reply.getheader("Content-Security-Policy", "")
        or (reply.status in (403, 421))
    )
    return reply.status, reply.read().decode()


def test_the_index_leads_to_the_conversation(github: Sandbox) -> None:
    _, index = ask(github, "/")
    assert f'href="{PULL}"' in index
    status, text = ask(github, PULL)
    assert status == 200
    assert "Say hello in Finnish" in text
    assert "newcomer/hello:finnish" in text
    assert "Because the list had no Finnish yet." in text


def test_markdown_is_rendered_and_our_markers_do_not_show(github: Sandbox) -> None:
    body = "**Done**, see #5 and @reporter\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<!-- mattermod:v1:abc -->"
    github.state.add_comment(github.repository, 7, "github-actions[bot]", body)
    _, text = ask(github, PULL)
    assert "<strong>Done</strong>" in text
    assert '<a href="/octo-org/hello/issues/5">#5</a>' in text
    assert "<b>@reporter</b>" in text
    assert "<td>1</td>" in text
    assert "mattermod:v1" not in text
    assert '<span class="badge">bot</span>' in text


def test_what_strangers_write_is_text(github: Sandbox) -> None:
    state, repo = github.state, github.repository
    issue = state.add_issue(repo, EVIL, "newcomer", body=f"{EVIL}\n\n[x](javascript:alert(3)) <a onclick=alert(4)>")
    state.add_labels(repo, issue.number, [EVIL])
    state.add_comment(repo, issue.number, "newcomer", f"inline {EVIL} [y](data:text/html,x) <details open>")
    for path in ("/", f"/octo-org/hello/issues/{issue.number}"):
        _, text = ask(github, path)
        parsed = Tags()
        parsed.feed(text)
        assert not {"script", "img"} & parsed.tags
        assert not [name for name, _ in parsed.attributes if name.startswith("on")]
        addresses = [value for name, value in parsed.attributes if name == "href"]
        assert all(address.startswith(("/", "http")) for address in addresses), addresses


def test_numbers_lead_to_what_there_is(github: Sandbox) -> None:
    """In titles, descriptions and comments alike; what is no item's number is text, and so is all else."""
    state, repo = github.state, github.repository
    pull = state.add_pull(
        repo, "<b>Pick</b> of #7 & #99", "maintainer", head="pick", body="Repeats #7, not #99 or #007."
    )
    state.add_comment(repo, pull.number, "reviewer", f"As #5 asks, &#35;7; {EVIL} #{pull.number}")
    _, text = ask(github, f"/octo-org/hello/pull/{pull.number}")
    link = f'<a href="{PULL}">#7</a>'
    assert f"<h1>&lt;b&gt;Pick&lt;/b&gt; of {link} &amp; #99 <i>" in text
    assert f"Repeats {link}, not #99 or #007." in text
    assert '<a href="/octo-org/hello/issues/5">#5</a> asks' in text
    assert f'<a href="/octo-org/hello/pull/{pull.number}">#{pull.number}</a>' in text
    parsed = Tags()
    parsed.feed(text)
    assert not {"script", "img"} & parsed.tags


def test_hidden_comments_reactions_reviews_and_picks(github: Sandbox) -> None:
    state, repo = github.state, github.repository
    comment = state.add_comment(repo, 7, "reviewer", "An old word")
    state.minimize(repo, 7, comment, "OUTDATED")
    state.react(repo, 7, comment, "eyes", "maintainer")
    state.add_pull(repo, "Pick of #7", "maintainer", head="pick")
    _, text = ask(github, PULL)
    assert "minimized (outdated)" in text
    assert "👀 1" in text
    assert "Mentioned in" in text
    assert "Pick of #7" in text


def test_forms_do_what_a_person_does(github: Sandbox) -> None:
    said = {"by": "maintainer"}
    assert ask(github, PULL, {**said, "do": "label", "text": "2: Dev Review"})[0] == 303
    assert ask(github, PULL, {**said, "do": "comment", "text": "Hello"})[0] == 303
    assert [label.name for label in github.state.item(github.repository, 7).labels] == ["2: Dev Review"]
    assert ask(github, PULL, {**said, "do": "unlabel", "text": "2: Dev Review"})[0] == 303
    assert ask(github, PULL, {**said, "do": "merge"})[0] == 303
    _, text = ask(github, PULL)
    assert '<b class="merged">merged</b>' in text
    assert "Hello" in text
    assert "4 events wait" in text


def test_a_form_that_cannot_be_done_says_why(github: Sandbox) -> None:
    status, text = ask(github, PULL, {"do": "explode", "by": "maintainer"})
    assert (status, github.state.events) == (422, [])
    assert "explode" in text


@pytest.mark.parametrize("origin", ["http://evil.example", "null", ""])
def test_another_site_cannot_use_the_forms(github: Sandbox, origin: str) -> None:
    form = {"do": "label", "text": "x", "by": "maintainer"}
    assert ask(github, PULL, form, Origin=origin)[0] == 403
    assert github.state.item(github.repository, 7).labels == []


def test_a_name_that_was_made_to_lead_here_is_turned_away(github: Sandbox) -> None:
    assert ask(github, PULL, Host="rebound.example")[0] == 421


@pytest.mark.parametrize("path", ["/octo-org/hello/pull/999", "/no/where/pull/1"])
def test_what_is_not_there(github: Sandbox, path: str) -> None:
    assert ask(github, path)[0] == 404


def test_writes_shows_the_record_of_calls(github: Sandbox) -> None:
    ask(github, PULL, {"do": "label", "text": "2: Dev Review", "by": "maintainer"})
    _, empty = ask(github, "/writes")
    assert "POST" not in empty
    for event in github.state.events:
        here = deliveries.here(str(github.state.git.home), 0)
        assert runs.in_process(event, {**github.environment, **here}).code == 0
    _, text = ask(github, "/writes")
    assert "POST /repos/octo-org/hello/issues/7/comments" in text
    assert "comment #7" in text


def test_servers_shows_what_runs_beside() -> None:
    with serve_all(aws=False) as running:
        jenkins = Jenkins(running.jenkins.url, USER, API_TOKEN)
        jenkins.build_job("hello/PR-7")
        running.github.state.offset += timedelta(minutes=1)
        requests.post(running.chat.webhook, json={"text": "A server is up"}, timeout=10)
        _, text = ask(running.github, "/servers")
    assert "hello/PR-7" in text
    assert "A server is up" in text


def test_the_bot_answers_at_once_when_attached(github: Sandbox) -> None:
    deliveries.attach(github.state, github.environment)
    assert ask(github, PULL, {"do": "label", "text": "2: Dev Review", "by": "maintainer"})[0] == 303
    _, text = ask(github, PULL)
    assert "a developer will look at this within two days" in text
    assert "mattermod ran on pull_request labeled: exit code 0" in text
