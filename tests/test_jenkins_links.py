"""Links to builds as CI posts them and as an attacker would, and the accounts with which they are looked at."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from mattermod_action.adapters.jenkins_pages import LONGEST, Page, page
from mattermod_action.adapters.jenkins_servers import Server, from_original, parse, tokens_to_hide, words_to_hide
from mattermod_action.errors import Mistake
from sandbox import payloads

if TYPE_CHECKING:
    from sandbox import Sandbox
    from tests.harness import Bot

CI = Server("https://ci.example.com", "mattermod", "t0ken")
BELOW = Server("https://ci.example.com/build", "robot", "t1ken")
LOCAL = Server("http://127.0.0.1:8080", "mattermod", "t2ken")
SERVERS = (CI, BELOW, LOCAL)
BRANCH = "folder/server/feature%2Fx"
HASH = "folder/server/fix%23%2512%3A"  # of a branch that has a hash, a percent sign and a colon in its name
BLUE = "/blue/organizations/jenkins"

# Links


@pytest.mark.parametrize(
    ("link", "server", "job", "number"),
    [
        ("https://ci.example.com/job/x/12/", CI, "x", 12),
        ("https://ci.example.com/job/x/12", CI, "x", 12),
        ("https://ci.example.com:443/job/x/12/console", CI, "x", 12),
        ("https://CI.Example.com/job/x/12/consoleFull#footer", CI, "x", 12),
        ("https://ci.example.com/job/x/12/display/redirect?page=changes", CI, "x", 12),
        ("https://ci.example.com/job/x/12/?a=/job/y/13/&b=..", CI, "x", 12),
        ("https://ci.example.com/job/folder/job/server/job/feature%252Fx/12/display/redirect", CI, BRANCH, 12),
        ("https://ci.example.com/job/folder/job/server/job/feature%2Fx/12/", CI, BRANCH, 12),
        ("https://ci.example.com/job/folder/job/server/job/fix%2523%252512%253A/12/", CI, HASH, 12),
        ("https://ci.example.com/job/server/job/PR-7/3/display/redirect", CI, "server/PR-7", 3),
        ("https://ci.example.com/view/all/job/x/view/a/view/b/job/y/12/", CI, "x/y", 12),
        ("https://ci.example.com/job/12/13/", CI, "12", 13),
        ("https://ci.example.com/job/job/job/view/1/", CI, "job/view", 1),
        ("https://ci.example.com/job/gr%C3%BC%C3%9Fe%20an%20alle/2147483647/", CI, "grüße an alle", 2147483647),
        ("https://ci.example.com/job/x/", CI, "x", None),
        ("https://ci.example.com/job/x/lastBuild/", CI, "x", None),
        ("https://ci.example.com/job/x/display/redirect", CI, "x", None),
        ("https://ci.example.com/build/job/x/12/", BELOW, "x", 12),
        ("https://ci.example.com/build/job/build/job/build/12/", BELOW, "build/build", 12),
        ("http://127.0.0.1:8080/job/x/12/", LOCAL, "x", 12),
        (f"https://ci.example.com{BLUE}/folder%2Fserver/detail/feature%2Fx/12/pipeline", CI, BRANCH, 12),
        (f"https://ci.example.com{BLUE}/folder%2Fserver/detail/feature%252Fx/12/pipeline/47/?a=b", CI, BRANCH, 12),
        (f"https://ci.example.com{BLUE}/folder%2Fserver/detail/server/12/tests", CI, "folder/server", 12),
        (f"https://ci.example.com{BLUE}/x/detail/x/12/pipeline", CI, "x", 12),
        (f"https://ci.example.com/build{BLUE}/server/detail/PR-7/12/pipeline", BELOW, "server/PR-7", 12),
    ],
)
def test_links_of_every_form(link: str, server: Server, job: str, number: int | None) -> None:
    found = page(link, SERVERS)
    assert found == Page(server, job, number)
    assert page(found.url, SERVERS) == found


def test_a_link_to_the_queue() -> None:
    assert page("https://ci.example.com/build/queue/item/101/", SERVERS) == Page(BELOW, item=101)
    assert Page(BELOW, item=101).url == "https://ci.example.com/build/queue/item/101/"


def test_what_python_jenkins_makes_of_a_name_is_what_the_link_had() -> None:
    import jenkins

    client = jenkins.Jenkins(BELOW.url, "", "")
    for link in ("job/folder/job/server/job/feature%252Fx/12/", "job/a%20b/job/fix%2523/7/"):
        found = page(f"{BELOW.url}/{link}", SERVERS)
        folder_url, short_name = client._get_job_folder(found.job)
        words = {"folder_url": folder_url, "short_name": short_name, "number": found.number}
        made = client._build_url("%(folder_url)sjob/%(short_name)s/%(number)s/", words)
        assert made == found.url == f"{BELOW.url}/{link}"


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/job/x/12/",
        "https://ci.example.com.evil.example/job/x/12/",
        "https://ci.example.comjob/x/12/",
        "https://ci.example.com/buildjob/x/12/",
        "https://ci.example.com/buildings/job/x/12/",
        "https://evil.example/https://ci.example.com/job/x/12/",
        "https://evil.example/?https://ci.example.com/job/x/12/",
        "https://evil.example#@ci.example.com/job/x/12/",
        "https://ci.example.com@evil.example/job/x/12/",
        "https://ci.example.com:s3cret@evil.example/job/x/12/",
        "https://mattermod:s3cret@ci.example.com/job/x/12/",
        "https://@ci.example.com/job/x/12/",
        "https://evil.example\\@ci.example.com/job/x/12/",
        "https://ci.example.com\\.evil.example/job/x/12/",
        "https://ci.example.com./job/x/12/",
        "https://ci.example.com:8443/job/x/12/",
        "https://ci.example.com:99999/job/x/12/",
        "https://ci.example.com:x/job/x/12/",
        "https://ci\u3002example\u3002com/job/x/12/",
        "http://ci.example.com/job/x/12/",
        "http://127.0.0.1/job/x/12/",
        "http://127.0.0.1:8081/job/x/12/",
        "http://127.1:8080/job/x/12/",
        "http://localhost:8080/job/x/12/",
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/job/x/12/",
        "https://[::ffff:169.254.169.254]/job/x/12/",
        "https://metadata.google.internal/job/x/12/",
        "javascript:alert('https://ci.example.com/job/x/12/')",
        "data:text/html,https://ci.example.com/job/x/12/",
        "file:///etc/passwd",
        "ftp://ci.example.com/job/x/12/",
        "//ci.example.com/job/x/12/",
        "/job/x/12/",
        "https://[ci.example.com/job/x/12/",
        "https:///job/x/12/",
        "https://ci.example.com",
        "https://ci.example.com/",
        "https://ci.example.com/job/",
        "https://ci.example.com/job//12/",
        "https://ci.example.com//job/x/12/",
        "https://ci.example.com/12/",
        "https://ci.example.com/view/x/12/",
        "https://ci.example.com/job/x/0/",
        "https://ci.example.com/job/x/-1/",
        "https://ci.example.com/job/x/1e3/",
        "https://ci.example.com/job/x/%D9%A1/",
        "https://ci.example.com/job/x/99999999999/",
        "https://ci.example.com/job/x/lastSuccessfulBuild/",
        "https://ci.example.com/job/x/configure",
        "https://ci.example.com/job/x/label=linux/12/",
        "https://ci.example.com/script",
        "https://ci.example.com/queue/item/x/",
        "https://ci.example.com/user/me/my-views/view/all/job/x/1/",
        "https://ci.example.com/job/../12/",
        "https://ci.example.com/job/%2e%2e/12/",
        "https://ci.example.com/job/%252e%252e/12/",
        "https://ci.example.com/job/x%2F..%2F..%2Fscript/12/",
        "https://ci.example.com/job/x%252F..%252F..%252Fscript/12/",
        "https://ci.example.com/job/x%5C..%5Cscript/12/",
        "https://ci.example.com/job/./12/",
        "https://ci.example.com/build/../job/x/12/",
        "https://ci.example.com/job/x/12/../../script",
        "https://ci.example.com/job/x%00/12/",
        "https://ci.example.com/job/x%0D%0AHost:%20evil.example/12/",
        "https://ci.example.com/job/x%250D%250A/12/",
        "https://ci.example.com/job/x\r\nHost: evil.example/12/",
        "https://ci.example.com/job/x\t/12/",
        " https://ci.example.com/job/x/12/",
        "https://ci.example.com/job/x y/12/",
        "https://ci.example.com/job/gr\u00fc\u00dfe/12/",
        "https://ci.example.com/job/%FF/12/",
        f"https://ci.example.com{BLUE}/x/activity",
        f"https://ci.example.com{BLUE}/x/detail/y/z/pipeline",
        f"https://ci.example.com{BLUE}/..%2Fx/detail/y/1/pipeline",
        f"https://ci.example.com{BLUE}/x%2F%2Fz/detail/y/1/pipeline",
        "https://ci.example.com/job/" + "x" * LONGEST + "/12/",
        "https://" + "x" * 1_000 + ".example/job/x/12/",
        "https://ci.example.com/" + "job/x/" * 400_000 + "12/",
        "",
        "\x00",
        "::error::x",
    ],
    ids=lambda link: link[:70],
)  # fmt: skip
def test_s20_links_that_lead_to_no_build_of_ours(link: str) -> None:
    with pytest.raises(Mistake) as raised:
        page(link, SERVERS)
    said = str(raised.value)
    assert len(said) < 300
    assert said.isprintable()
    assert "s3cret" not in said
    assert link[8:] not in said or not link[8:]


def test_where_there_is_no_account_the_input_is_named() -> None:
    with pytest.raises(Mistake, match="give the input `jenkins-credentials`"):
        page("https://ci.example.com/job/x/12/", ())


# Accounts

LINES = """
# the build servers
https://CI.example.com:443/ mattermod t0ken

  https://ci.example.com/build\trobot   t1ken
http://127.0.0.1:8080 mattermod t2ken
"""


def test_a_line_for_each_server() -> None:
    assert parse(LINES) == SERVERS
    assert parse(LINES.replace("\n", "\r\n")) == SERVERS
    assert parse("") == ()
    assert parse("https://[2001:db8::1]:8443/ci a b") == (Server("https://[2001:db8::1]:8443/ci", "a", "b"),)


def test_the_original_has_a_name_for_each_server() -> None:
    sample = {"URL": "", "Username": "", "ApiToken": ""}
    given = {
        "jenkins": {"URL": "https://ci.example.com", "Username": "mattermod", "ApiToken": "t0ken"},
        "other": {"URL": "https://ci.example.com/build/", "Username": "robot", "ApiToken": "t1ken"},
        "sample": sample,
    }
    assert from_original(given) == (CI, BELOW)
    assert from_original({"jenkins": sample}) == from_original(None) == from_original({}) == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("s3cret", "SERVER_URL USER TOKEN"),
        ("https://ci.example.com s3cret", "SERVER_URL USER TOKEN"),
        ("https://ci.example.com a b s3cret", "SERVER_URL USER TOKEN"),
        ("http://ci.example.com a s3cret", "only https"),
        ("ftp://localhost a s3cret", "only https"),
        ("ci.example.com a s3cret", "only https"),
        ("s3cret a https://ci.example.com", "only https"),
        ("https:// a s3cret", "names no server"),
        ("https://[x a s3cret", "is no address"),
        ("https://x:y a s3cret", "is no address"),
        ("https://a:s3cret@ci.example.com a s3cret", "more than a server and a path"),
        ("https://ci.example.com/?s3cret a s3cret", "more than a server and a path"),
        ("https://ci.example.com/#s3cret a s3cret", "more than a server and a path"),
        ("https://ci.example.com/a/../b a s3cret", "not plain"),
        ("https://ci.example.com//b a s3cret", "not plain"),
        ("https://ci.example.com/%2e%2e a s3cret", "not plain"),
        ("https://169.254.169.254/ a s3cret", "secrets about themselves"),
        ("http://169.254.169.254/ a s3cret", "secrets about themselves"),
        ("https://metadata.google.internal a s3cret", "secrets about themselves"),
        ("https://ci.example.com a:b s3cret", "no account"),
        ("https://ci.example.com a s3cret\u00e9", "no token"),
        ("https://ci.example.com a s3cret\x00", "no token"),
        ("https://ci\u00e9.example.com a s3cret", "no address"),
        ("https://ok.example a s3cret", "has an account already"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_mistake_in_a_line_is_one_line_without_it(line: str, said: str) -> None:
    with pytest.raises(Mistake, match=re.escape(said)) as raised:
        parse(f"https://ok.example user t0ken\n\n{line}")
    assert str(raised.value).startswith("input `jenkins-credentials`, line 3: ")
    assert "s3cret" not in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "given",
    [
        "s3cret",
        ["s3cret"],
        {"jenkins": "s3cret"},
        {"jenkins": {"URL": "https://ci.example.com", "ApiToken": "s3cret"}},
        {"jenkins": {"URL": "https://ci.example.com", "Username": 7, "ApiToken": "s3cret"}},
        {"jenkins": {"URL": "https://ci.example.com", "Username": "a", "ApiToken": "s3cret x"}},
        {"jenkins": {"URL": "http://ci.example.com", "Username": "a", "ApiToken": "s3cret"}},
        {"\n::error::" * 50: {"URL": "http://ci.example.com", "Username": "a", "ApiToken": "s3cret"}},
    ],
    ids=str,
)
def test_a_mistake_in_the_originals_file_is_one_line_without_it(given: Any) -> None:
    with pytest.raises(Mistake) as raised:
        from_original(given)
    said = str(raised.value)
    assert said.startswith("JenkinsCredentials: ")
    assert said.isprintable()
    assert "s3cret" not in said
    assert len(said) < 300


def test_what_is_hidden() -> None:
    """The account's name is not: it is in a hundred other words."""
    assert set(words_to_hide(LINES)) == {text for server in SERVERS for text in server.secrets}
    assert set(words_to_hide("https://a:s3cret@ci.example.com user t0ken\ns3cr3t\npass an https://x.org")) == {
        "https://a:s3cret@ci.example.com", "user", "t0ken", "s3cr3t", "pass", "https://x.org",
    }  # fmt: skip
    assert "t0ken" not in repr(CI)
    given = {"a": {"ApiToken": "t0ken"}, "b": {"URL": "x", "ApiToken": "t1ken"}, "c": {"ApiToken": 7}, "d": "x"}
    assert list(tokens_to_hide(given)) == ["t0ken", "t1ken"]
    assert list(tokens_to_hide("t0ken")) == list(tokens_to_hide(None)) == []


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_s05_a_run_hides_them_before_anything_else_is_said(bot: Bot, github: Sandbox) -> None:
    bot.inputs = {"jenkins-credentials": "https://ci.example.com user t0ken-of-jenkins\nnonsense-of-somebody"}
    event = payloads.opened_pull(github.state, github.repository, "New", (), "newcomer")
    done = bot.run("pull_request_target", event, GITHUB_ACTIONS="true")
    assert {"::add-mask::t0ken-of-jenkins", "::add-mask::nonsense-of-somebody"} <= set(done.log.splitlines())
    others = [line for line in done.log.splitlines() if not line.startswith("::add-mask::")]
    assert not [line for line in others if "t0ken-of-jenkins" in line or "nonsense" in line]
    assert "t0ken-of-jenkins" not in done.summary + str(done.outputs)


@pytest.mark.parametrize("bot", ["sqlite"], indirect=True)
def test_s05_a_run_hides_those_of_the_originals_file(bot: Bot, github: Sandbox) -> None:
    account = {"URL": "https://ci.example.com", "Username": "user", "ApiToken": "t0ken-of-jenkins"}
    config = json.dumps({"JenkinsCredentials": {"jenkins": account}})
    github.state.write_files(github.repository, {".github/config-mattermod.json": config})
    bot.inputs = {"config": ".github/config-mattermod.json"}
    event = payloads.opened_pull(github.state, github.repository, "New", (), "newcomer")
    done = bot.run("pull_request_target", event, GITHUB_ACTIONS="true")
    assert "::add-mask::t0ken-of-jenkins" in done.log.splitlines()
    assert "make it a secret and give it as the input `jenkins-credentials`" in done.log
