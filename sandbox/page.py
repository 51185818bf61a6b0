"""The sandbox as a person sees it: conversations, servers, the record of calls; forms for what a person does.

Everything is written by the server, without JavaScript. What comes in by a form is a person's deed (`deliveries.act`),
taken only from the page itself: another site in the same browser must not reach it.
"""

from __future__ import annotations

import re
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from sandbox import deliveries
from sandbox.answers import Answer
from sandbox.records import Pull

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from markupsafe import Markup

    from sandbox.records import Comment, Issue, Person, Repository
    from sandbox.state import State

FOLDER = Path(__file__).parent / "pages"
ITEM = re.compile(r"/(?!repos/|repositories/)(?P<repository>[^/]+/[^/]+)/(?:pull|issues)/(?P<number>\d{1,9})")
STYLE = "/_sandbox/style.css"
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HTML = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
LOCAL = ("127.0.0.1", "localhost")
SHOWN_CALLS = 500
FACES = 6  # colours of the round initials beside comments, in style.css
REACTIONS = {
    "+1": "👍", "-1": "👎", "eyes": "👀", "heart": "❤️", "rocket": "🚀", "hooray": "🎉", "laugh": "😄", "confused": "😕",
}  # fmt: skip


def is_here(method: str, path: str) -> bool:
    return (method == "GET" and path in PAGES) or (method in ("GET", "POST") and bool(ITEM.fullmatch(path)))


def handle(state: State, method: str, path: str, headers: Mapping[str, str], raw: bytes) -> Answer:
    """Answer what `is_here`; a form's answer is 303, back to where it came from."""
    if urlsplit(f"//{headers.get('host', '')}").hostname not in LOCAL:  # a name that was made to lead here
        return Answer(421, b"ask for 127.0.0.1", {"Content-Type": "text/plain"})
    with state.lock:
        if path in PAGES:
            return PAGES[path](state)
        return _form(state, path, headers, raw) if method == "POST" else _item(state, path)


def _form(state: State, path: str, headers: Mapping[str, str], raw: bytes) -> Answer:
    if urlsplit(headers.get("origin", "")).netloc != headers["host"]:
        return Answer(403, b"only this page's own forms", {"Content-Type": "text/plain"})
    place, form = ITEM.fullmatch(path), {name: values[0] for name, values in parse_qs(raw.decode()).items()}
    if place is None or state.repository(place["repository"]) is None:
        return _missing(state)
    wanted = {**form, "repository": place["repository"], "number": place["number"]}
    done = deliveries.carry_out(state, wanted)
    if isinstance(done, str):
        return _page(state, "message.html", 422, title="Not done", text=done, back=path)
    return Answer(303, b"", {"Location": path})


def _style(_state: State) -> Answer:
    return Answer(200, (FOLDER / "style.css").read_bytes(), {"Content-Type": "text/css; charset=utf-8"})


def _index(state: State) -> Answer:
    repositories = [
        {"full_name": repo.full_name, "shown": [_head(repo, item) for item in reversed(repo.items.values())]}
        for repo in state.repositories.values()
    ]
    return _page(state, "index.html", title="Sandbox", repositories=repositories)


def _servers(state: State) -> Answer:
    return _page(state, "table.html", title="Servers", tables=[(name, show()) for name, show in state.beside.items()])


def _writes(state: State) -> Answer:
    calls = [
        {
            "call": f"{request.method} {request.path}",
            "by": request.token,
            "status": request.status or "none",
            "fault": request.fault,
            "effects": ", ".join(f"{effect.action} #{effect.number}" for effect in request.effects),
        }
        for request in state.requests[: -SHOWN_CALLS - 1 : -1]
    ]
    writes = [call for call in calls if call["effects"]]
    return _page(state, "table.html", title="Writes", tables=[("Changes over HTTP", writes), ("All calls", calls)])


def _item(state: State, path: str) -> Answer:
    found = ITEM.fullmatch(path)
    repo = state.repository(found["repository"]) if found else None
    item = repo.items.get(int(found["number"])) if repo and found else None
    if repo is None or item is None:
        return _missing(state)
    return _page(
        state,
        "item.html",
        heading=_heading(repo, item),
        title=f"{item.title} · #{item.number}",
        repository=repo.full_name,
        item=_head(repo, item),
        by="maintainer",
        known_labels=[label.name for label in repo.labels.values() if label not in item.labels],
        people=sorted(repo.permissions),
        facts=list(_facts(repo, item)),
        mentions=[_head(repo, other) for other in repo.items.values() if _mentions(other, item.number)],
        entries=list(_entries(repo, item)),
        runs=state.runs[-3:][::-1],
    )


def _heading(repo: Repository, item: Issue | Pull) -> Markup:
    from markupsafe import Markup

    from sandbox.markdown import title_to_html

    return Markup(title_to_html(item.title, partial(_address_at, repo)))  # noqa: S704  # all but its own links is escaped


def _head(repo: Repository, item: Issue | Pull) -> dict[str, Any]:
    shown = {
        "number": item.number,
        "title": item.title,
        "author": _login(item.author),
        "labels": item.labels,
        "state": item.state,
        "address": _address(repo, item),
        "head": "",
        "base": "",
    }
    if isinstance(item, Pull):
        merged, draft = item.merged_at is not None, item.draft and item.state == "open"
        shown["state"] = "merged" if merged else "draft" if draft else item.state
        shown |= {"head": f"{item.head_repository or 'a deleted fork'}:{item.head_ref}", "base": item.base_ref}
    return shown


def _address(repo: Repository, item: Issue | Pull) -> str:
    return f"/{repo.full_name}/{'pull' if isinstance(item, Pull) else 'issues'}/{item.number}"


def _address_at(repo: Repository, number: int) -> str:
    """What `#7` leads to; a number that is nobody's leads nowhere."""
    return _address(repo, repo.items[number]) if number in repo.items else ""


def _facts(repo: Repository, item: Issue | Pull) -> Iterator[tuple[str, list[str]]]:
    if isinstance(item, Pull):
        yield (
            "Reviewers",
            [
                *(f"{person.login}: asked" for person in item.reviewers),
                *(f"team {team}: asked" for team in item.teams),
                *(f"{each.author.login}: {each.state.lower().replace('_', ' ')}" for each in item.reviews),
            ],
        )
        newest = {each.context: each for each in repo.statuses.get(item.head_sha, ())}
        checks = [each for each in repo.checks if each.sha == item.head_sha]
        yield (
            "Statuses",
            [
                *(f"{each.context}: {each.state}. {each.description}" for each in newest.values()),
                *(f"{each.name}: {each.conclusion or each.status}" for each in checks),
            ],
        )
    yield "Assignees", [person.login for person in item.assignees]
    yield "Milestone", [item.milestone.title] if item.milestone else []


def _entries(repo: Repository, item: Issue | Pull) -> Iterator[dict[str, Any]]:
    """Yield the description, then comments and reviews in their order."""
    yield _entry(repo, "description", item.author, item.created_at, item.body or "*No description.*")
    reviews = item.reviews if isinstance(item, Pull) else []
    told = [(each.submitted_at, _review(repo, each)) for each in reviews]
    told += [(each.created_at, _comment(repo, each)) for each in item.comments]
    yield from (entry for _, entry in sorted(told, key=lambda pair: pair[0]))


def _comment(repo: Repository, each: Comment) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for content, _login in each.reactions:
        counts[content] = counts.get(content, 0) + 1
    made = _entry(repo, f"issuecomment-{each.id}", each.author, each.created_at, each.body)
    reactions = " ".join(f"{REACTIONS.get(content, content)} {count}" for content, count in counts.items())
    edited = each.updated_at != each.created_at
    return {**made, "hidden": each.minimized.lower(), "reactions": reactions, "note": "edited" if edited else ""}


def _review(repo: Repository, each: Any) -> dict[str, Any]:
    made = _entry(repo, f"review-{each.id}", each.author, each.submitted_at, each.body)
    return {**made, "note": each.state.lower().replace("_", " ")}


def _entry(repo: Repository, anchor: str, author: Person | None, at: Any, body: str) -> dict[str, Any]:
    from markupsafe import Markup

    from sandbox.markdown import to_html

    return {
        "anchor": anchor,
        "author": _login(author),
        "face": sum(_login(author).encode()) % FACES,
        "hidden": "",
        "reactions": "",
        "note": "",
        "bot": bool(author and author.kind == "Bot"),
        "at": f"{at:%Y-%m-%d %H:%M:%S} UTC",
        "body": Markup(to_html(body, partial(_address_at, repo))),  # noqa: S704  # markdown.py lets no foreign HTML through
    }


def _mentions(other: Issue | Pull, number: int) -> bool:
    return other.number != number and bool(re.search(rf"(?<!\w)#{number}\b", f"{other.title}\n{other.body}"))


def _login(person: Person | None) -> str:
    return person.login if person else "ghost"


def _missing(state: State) -> Answer:
    return _page(state, "message.html", 404, title="Not here", text="There is no such page.", back="/")


def _page(state: State, template: str, status: int = 200, **values: Any) -> Answer:
    common = {"now": f"{state.now():%Y-%m-%d %H:%M:%S} UTC", "waiting": len(state.events)}
    text = _templates().get_template(template).render(**common, **values)
    return Answer(status, text.encode(), dict(HTML))


@cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


PAGES = {"/": _index, "/servers": _servers, "/writes": _writes, STYLE: _style}
