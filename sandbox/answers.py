"""An answer, and the answers by which GitHub says no.

https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

DOCS = "https://docs.github.com/"
JSON = "application/json; charset=utf-8"


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def answer(status: int, data: Any, **headers: str) -> Answer:
    """Make a JSON answer; `a_b` among the headers is `A-B`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(data).encode(), {"Content-Type": JSON, **named})


class RefusedError(Exception):
    """Carries the answer that ends the handling of a call."""

    def __init__(self, refusal: Answer) -> None:
        super().__init__(refusal.status)
        self.answer = refusal


def refuse(status: int, message: str, docs: str = "rest", *, errors: Any = None, **headers: str) -> RefusedError:
    """Make GitHub's error body; `status` stands in it once more, as text."""
    body = {"message": message, **({"errors": errors} if errors is not None else {})}
    return RefusedError(
        answer(status, {**body, "documentation_url": f"{DOCS}{docs}", "status": str(status)}, **headers)
    )


def not_found(docs: str = "rest") -> RefusedError:
    return refuse(404, "Not Found", docs)


def invalid(docs: str, resource: str, message: str, field: str = "") -> RefusedError:
    """Make the 422 by which GitHub names the field that it does not like."""
    code = "custom" if field else "unprocessable"
    errors = [{"resource": resource, "code": code, "field": field or "data", "message": message}]
    return refuse(422, "Validation Failed", docs, errors=errors)
