"""The title of a pick of a pick: what the template has put around it is not put around it once more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mattermod_action import texts
from mattermod_action.opening import topic
from mattermod_action.picks import Source, head_ref
from tests.builders import pull_seen

ORIGINAL = pull_seen(number=7).subject
TEMPLATES = (
    "[{branch}] {title}",
    "{title} ({branch})",
    "Backport {title} to {branch}",
    "{title} (cherry-pick of #{number})",
    "#{number} {title} by {author}",
    "Backport: {title}",
    "({branch}) {title} ({branch})",
    "{title}",
)
TITLES = ("Topic", "[release-10.4] of something", "A (b) c", "1 of 2: x*y", "[a-z]+")


def source(title: str, *, ref: str, base: str, fork: bool = False) -> Source:
    pull = replace(ORIGINAL, number=9, ref=ref, base_ref=base, head="x/y" if fork else ORIGINAL.repository.full_name)
    return Source(pull=pull, title=title, merge=None, history=(), own=(), own_count=0)


def made(template: str, title: str, branch: str) -> str:
    return texts.filled(template, {"title": title, "branch": branch, "number": "7", "author": "alice"})


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("branch", ["release-10.5", "r.*(x", "main"])
def test_the_title_of_a_pick_is_that_of_its_original(template: str, title: str, branch: str) -> None:
    pick = source(made(template, title, branch), ref=head_ref(ORIGINAL, branch), base=branch)
    assert topic(template, pick) == title


@pytest.mark.parametrize(
    ("template", "title", "expected"),
    [
        ("[{branch}] {title}", "[release-10.5] By hand", "By hand"),
        ("[{branch}] {title}", "[release-10.4] Of another branch", "[release-10.4] Of another branch"),
        ("[{branch}] {title}", "[Fix] a thing", "[Fix] a thing"),
        ("{number} {title}", "10 things", "10 things"),
        ("{branch}", "release-10.5", "release-10.5"),
        ("{title} {title}", "a a", "a a"),
    ],
)
def test_a_title_that_people_wrote_stays(template: str, title: str, expected: str) -> None:
    assert topic(template, source(title, ref="topic", base="release-10.5")) == expected
