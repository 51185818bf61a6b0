"""The configuration: one section a feature, a section that is absent turns its feature off.

Whatever is wrong is said at once, a line each: `file:line: section.key: what, did you mean`.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_origin

# Plugins of pydantic are looked for in every installed distribution, which costs more than all of our own code.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

from mattermod_action.effects import COMMENT_LIMIT
from mattermod_action.errors import Mistake
from mattermod_action.features import FEATURES
from mattermod_action.source import Unreadable, read, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from mattermod_action.source import Path, Source

COMMAND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
LABEL_LIMIT = 50  # characters; GitHub refuses longer label names
PATTERN_LIMIT = 4_096  # characters of a pattern: no path on Linux is longer
CONTEXT_LIMIT = 255  # characters of the name of a commit status
LAST_OF_THE_PLANE = 0xFFFF  # beyond it characters take four bytes
MARKER_ROOM = 200  # characters kept free at the end of a comment
KEY_SHOWN = 100  # characters of a key that a mistake names
LOGIN_GROWTH = 100  # characters by which replacing one placeholder may lengthen a message
WANTED = {
    "tuple_type": "a list",
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a number",
    "model_type": "a mapping",
    "dict_type": "a mapping",
}
JSON_NAMES = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}


class Section(BaseModel):
    """A part of the configuration: frozen, no unknown keys, nothing guessed (`yes` is text, `1` a number)."""

    # Built when first used: most are only ever a part of the whole.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def _label(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if len(text) > LABEL_LIMIT or "\n" in text:
        raise ValueError(f"is no label: GitHub's have one line of up to {LABEL_LIMIT} characters")
    return text.strip()


def _message(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    room = COMMENT_LIMIT - MARKER_ROOM - LOGIN_GROWTH * text.count("USERNAME")
    if len(text) > room:
        raise ValueError(f"is too long: {len(text)} characters, and a comment has room for {room}")
    return text.replace("\r\n", "\n")


def _pattern(text: str) -> str:
    if not text.strip("/") or text.startswith("/"):
        raise ValueError("must be a path from the top of the repository, without a slash in front")
    if len(text) > PATTERN_LIMIT:
        raise ValueError(f"is too long: {len(text)} characters, and no path has more than {PATTERN_LIMIT}")
    if (len(text) - len(text.rstrip("\\"))) % 2:
        raise ValueError("ends with a backslash, which takes its meaning from what follows: leave it out")
    return text


def _context(text: str) -> str:
    """Check the context of a status: https://docs.github.com/en/rest/commits/statuses#create-a-commit-status."""
    if not text.strip() or "\n" in text or len(text) > CONTEXT_LIMIT:
        raise ValueError(f"must be the name of a commit status: one line of up to {CONTEXT_LIMIT} characters")
    if odd := next((each for each in text if ord(each) > LAST_OF_THE_PLANE), ""):
        raise ValueError(f"has {odd}, and GitHub takes no emoji in the name of a commit status")
    return text


def _command(text: str) -> str:
    name = text.removeprefix("/").lower()
    if not COMMAND.fullmatch(name):
        raise ValueError("must be the name of a command, such as cherry-pick")
    return name


Label = Annotated[str, AfterValidator(_label)]
Message = Annotated[str, AfterValidator(_message)]
Context = Annotated[str, AfterValidator(_context)]
Pattern = Annotated[str, AfterValidator(_pattern)]

CommandName = Annotated[str, AfterValidator(_command)]

Level = Literal["read", "author", "triage", "write", "maintain", "admin"]


class Commands(Section):
    """Who may give which command, where that differs from what a feature asks for, and which bots may give none.

    `aliases` are other names, such as `backport: cherry-pick`; other bots may listen to them as well. What is in
    `ignore` is never answered as a misspelt command.
    """

    levels: dict[str, Level] = {}
    blocked_bots: tuple[str, ...] = ()
    aliases: dict[CommandName, CommandName] = {}
    ignore: tuple[CommandName, ...] = ()


class Scope(Section):
    """Which repositories a schedule sweeps, this one if there are none: patterns of OWNER/NAME, `!` takes out again.

    `reserve` is how many of the hour's points of GraphQL it leaves to events, 0 for a tenth.
    """

    repositories: tuple[str, ...] = ()
    reserve: Annotated[int, Field(ge=0)] = 0


class Config(Section):
    """The whole file. `model()` adds one optional section for each feature."""

    backfill: bool = False
    commands: Commands = Commands()
    sweep: Scope = Scope()


@dataclass(frozen=True)
class Loaded:
    """A valid configuration and what else its file had to say.

    `bot_logins`, `database_url`, `webhooks` (by room) and `jenkins` (as it stands there: adapters/jenkins_servers.py)
    only come from a legacy file; inputs win over them.
    """

    config: Any
    warnings: tuple[str, ...] = ()
    bot_logins: tuple[str, ...] = ()
    database_url: str = ""
    webhooks: tuple[tuple[str, str], ...] = ()
    jenkins: Any = None


class ConfigErrors(Mistake):
    """All mistakes of a file, a line each."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@cache
def model(sections: frozenset[str] = frozenset(FEATURES)) -> type[Config]:
    """Build the model of a file that has these sections; the features of others are not even imported."""
    fields: dict[str, Any] = {
        name: (importlib.import_module(f"mattermod_action.features.{name}").Config | None, None)
        if name in sections
        else (None, None)
        for name in FEATURES
    }
    return create_model("Configuration", __base__=Config, **fields)


def load(text: str, name: str) -> Loaded:
    """Check the text of the file `name`, in the native or the original's form. Raises ConfigErrors."""
    try:
        source = read(text, must_be_json=name.endswith(".json"))
    except Unreadable as error:
        raise ConfigErrors((f"{name}:{error.line}: {error}",)) from error
    if source.is_json and not _is_native(source.data):
        from mattermod_action.legacy import translate

        old = translate(source)
        config = check(source, name, old.data, old.origin)
        return Loaded(config, old.warnings, old.bot_logins, old.database_url, old.webhooks, old.jenkins)
    return Loaded(check(source, name, source.data))


def _is_native(data: Any) -> bool:
    """The native form may be written as JSON, too; no key of it is one of the original's."""
    return not isinstance(data, dict) or bool(data.keys() & {*FEATURES, *Config.model_fields})


def check(source: Source, name: str, data: Any, origin: dict[Path, Path] | None = None) -> Config:
    """Build the model from `data`, whose paths stand in the file where `origin` says. Raises ConfigErrors."""
    found = list(source.mistakes)
    config = None
    try:
        present = frozenset(data if isinstance(data, dict) else ()) & frozenset(FEATURES)
        config = model(present).model_validate(_as_model_input(data))
    except ValidationError as error:
        found += [_mistake(detail, source, origin or {}) for detail in error.errors()]
    if found or config is None:
        raise ConfigErrors(tuple(f"{name}:{line}: {_dotted(path)}{text}" for line, path, text in sorted(found)))
    return config


def _dotted_path(path: Path) -> str:
    """`label_messages.issues[1].label`, as a person would point at it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_visible(part)}" for part in path).lstrip(".")


def _visible(key: str) -> str:
    """A key is whatever its file has in that place: what could break the line or hide in it is spelt out."""
    return (key if key.isprintable() and key and key == key.strip() else repr(key))[:KEY_SHOWN]


def _dotted(path: Path) -> str:
    return f"{_dotted_path(path)}: " if path else ""


def _as_model_input(data: Any) -> Any:
    """Strict models want tuples where the file has lists."""
    if isinstance(data, list):
        return tuple(_as_model_input(item) for item in data)
    if isinstance(data, dict):
        return {key: _as_model_input(value) for key, value in data.items()}
    return data


def _mistake(detail: ErrorDetails, source: Source, origin: dict[Path, Path]) -> tuple[int, Path, str]:
    loc = detail["loc"]
    if detail["type"] == "value_error" and loc[-1] == "[key]":  # pydantic's for a key itself that is wrong
        loc = loc[:-1]
    path = _in_file(loc, origin)
    return source.line(path), path, _explained(detail)


def _in_file(path: Path, origin: dict[Path, Path]) -> Path:
    for cut in range(len(path), 0, -1):
        if (start := origin.get(path[:cut])) is not None:
            return (*start, *path[cut:])
    return path


def _explained(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key{suggestion(str(detail['loc'][-1]), _known_keys(detail['loc'][:-1]))}"
        case "missing":
            return "is missing"
        case "value_error":
            return str(detail["ctx"]["error"])
    if detail["type"] == "literal_error":
        return f"must be {detail['ctx']['expected'].replace(chr(39), '')}"
    wanted = WANTED.get(detail["type"])
    return f"must be {wanted}, found {_kind(detail['input'])}" if wanted else detail["msg"]


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    kind = list if isinstance(value, tuple) else type(value)
    return JSON_NAMES.get(kind, kind.__name__)


def keys_of(section: type[BaseModel], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield each key of a section, and as JSON what it is when it is left out, "" when it must be given."""
    for name, field in section.model_fields.items():
        default = "" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        yield before + name, default
        if inner := _model_in(field.annotation):
            many = "[]" if get_origin(field.annotation) is tuple else ""
            yield from keys_of(inner, f"{before}{name}{many}.")


def _shown(value: Any) -> str:
    return json.dumps(value, default=lambda section: section.model_dump())


def _known_keys(path: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys that may stand at `path`."""
    here: Any = model()
    for part in path:
        if isinstance(part, str) and part in here.model_fields:
            here = _model_in(here.model_fields[part].annotation)
    return tuple(here.model_fields)


def _model_in(annotation: Any) -> Any:
    """The model inside `tuple[Rule, ...]` or `Config | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, getattr(annotation, "__args__", ()))), None)
