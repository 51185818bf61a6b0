"""The kinds of GitHub that a sandbox can be: github.com, an Enterprise Server, or a tenant of ghe.com.

The addresses are those that a runner sets: `https://HOSTNAME/api/v3` and `https://HOSTNAME/api/graphql`
(https://docs.github.com/en/enterprise-server@3.17/graphql/guides/forming-calls-with-graphql#the-graphql-endpoint), and
`https://api.SUBDOMAIN.ghe.com` (https://docs.github.com/en/enterprise-cloud@latest/graphql/guides/managing-enterprise-accounts).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from sandbox import git

# Read in https://github.com/github/docs/blob/85411a0d9fcb/src/graphql/data/ghes-3.17/schema.docs-enterprise.graphql
OLDER = frozenset({"ReportedContentClassifiers.ABUSE", "ReportedContentClassifiers.SPAM"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variant:
    """`description` is the name of its OpenAPI description; `lacks` are fields and values of GraphQL, as TYPE.NAME.

    Without `limits` no request counts: https://docs.github.com/en/enterprise-server@3.17/rest/using-the-rest-api/rate-limits-for-the-rest-api
    With `own_host` the API has a host of its own, so that nothing else answers there.
    """

    description: str = "api.github.com"
    version: str = ""
    rest: str = ""
    graphql: str = "/graphql"
    limits: bool = True
    run_details: bool = True
    own_host: bool = False
    lacks: frozenset[str] = frozenset()

    def pages(self, address: str) -> str:
        """Where people and git go, when the API is at `address`."""
        return address.replace("127.0.0.1", "localhost") if self.own_host else address

    def path(self, path: str, host: str) -> str | None:
        """Return the path as github.com's API has it, or git's; None where nothing is."""
        is_api = not self.own_host or urlsplit(f"//{host}").hostname != "localhost"
        if git.SERVICE.fullmatch(path):
            return None if self.own_host and is_api else path
        if is_api and path == self.graphql:
            return "/graphql"
        if is_api and path.startswith(f"{self.rest}/") and path != f"{self.rest}/graphql":
            return path.removeprefix(self.rest)
        return None


def _server(version: str) -> Variant:
    """Return an Enterprise Server; none of these knows `return_run_details`."""
    return Variant(
        description=f"ghes-{version}",
        version=f"{version}.0",
        rest="/api/v3",
        graphql="/api/graphql",
        limits=False,
        run_details=False,
        lacks=OLDER,
    )


GITHUB_COM = "github.com"
VARIANTS = {
    GITHUB_COM: Variant(),
    "ghe.com": Variant(description="ghec", own_host=True),
    **{f"ghes-{version}": _server(version) for version in ("3.17", "3.18", "3.19")},
}
