"""Both forms of `database-url`, every way to get one wrong, and what the connection does about TLS."""

from __future__ import annotations

import contextlib
import subprocess
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mattermod_action.adapters.database_url import FORMS, Database, parse
from mattermod_action.adapters.mysql import MySQLStore, connect
from mattermod_action.adapters.mysql import _tls as connect_options
from mattermod_action.errors import Down, Mistake
from mattermod_action.world import RealClock
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER_ADDRESS = "127.0.0.2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mysql://u:p@h/d", Database("h", 3306, "u", "d", "p")),
        ("mysql://u:p@h:3307/d", Database("h", 3307, "u", "d", "p")),
        ("mysql://u@h/d", Database("h", 3306, "u", "d", "")),
        ("mysql://u%40x:p%3A%2F%23%40@h/d-1", Database("h", 3306, "u@x", "d-1", "p:/#@")),
        ("mysql://u:p#;@h/d", Database("h", 3306, "u", "d", "p#;")),
        ("mysql://u:p@[::1]:3307/d", Database("::1", 3307, "u", "d", "p")),
        ("mysql://u:p@h/d?charset=utf8mb4&tls=true", Database("h", 3306, "u", "d", "p")),
        ("u:p@tcp(h:3306)/d", Database("h", 3306, "u", "d", "p")),
        ("u:p@tcp(h)/d?parseTime=true&multiStatements=true", Database("h", 3306, "u", "d", "p")),
        ("u:p:/@#%@tcp(h:3306)/d", Database("h", 3306, "u", "d", "p:/@#%")),
        ("u:p@tcp([2001:db8::1]:3306)/d", Database("2001:db8::1", 3306, "u", "d", "p")),
        ("u:p@tcp(h:3306)/d?tls=skip-verify", Database("h", 3306, "u", "d", "p", "insecure")),
        ("u@tcp(127.0.0.1:3306)/d", Database("127.0.0.1", 3306, "u", "d", "")),
    ],
)
def test_understood(url: str, expected: Database) -> None:
    """Y-06: what a URI or a Go DSN says beside the address stops nothing."""
    assert parse(url)[0] == expected


WRONG = [
    ("", "is empty"),
    ("hello", "is in neither form"),
    ("postgres://u:p@h/d", "only mysql:// is understood"),
    ("sqlite:///x.db", "names a SQLite file, which is the input `state`"),
    ("mysql://u:p@h", "names no database"),
    ("mysql://u:p@h/", "names no database"),
    ("mysql://u:p@/d", "names no host"),
    ("mysql://h/d", "names no user"),
    ("mysql://u:p@h:0/d", "port that is not a number from 1 to 65535"),
    ("mysql://u:p@h:70000/d", "port that is not a number from 1 to 65535"),
    ("mysql://u:p@h:x/d", "port that is not a number from 1 to 65535"),
    ("mysql://u:s3cr3t@s3cr3t@h/d", "%40"),
    ("mysql://u:s3cr3t/@h/d", ""),
    ("mysql://u:s3cr3t%@h/d", "%25"),
    ("mysql://u:%ff@h/d", "not in UTF-8"),
    ("mysql://u:s3cr3t@h/d?ssl_mode=REQUIRED", "unknown option"),
    ("mysql://u:s3cr3t@h/d?x", "not name=value"),
    ("mysql://u:s3cr3t@h/a/b", "no valid database name"),
    ("u:s3cr3t@unix(/tmp/mysql.sock)/d", "names a Unix socket"),
    ("u:s3cr3t@tcp(h:3306)", "lacks the /"),
    ("u:s3cr3t@tcp()/d", "names no tcp(host:3306)"),
    ("u:s3cr3t@tcp(h:3306)/d?tls=custom", "`database-ca`"),
    ("u:s3cr3t@tcp(h:3306)/d x", "white space"),
    ("mysql://u:s3cr3t@h/d\n", "white space"),
]


@pytest.mark.parametrize(("url", "message"), WRONG)
def test_wrong_is_one_line_without_the_password(url: str, message: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse(url)
    [line] = str(caught.value).splitlines()
    assert line.startswith("input `database-url` ")
    assert message in line
    assert line.endswith(FORMS)
    assert "s3cr3t" not in line
    assert caught.value.__cause__ is None


SECRETS = ["s3cr3t://x", "s3cr3t", "12/a?s3cr3t=x", "12/a?tls=s3cr3t", "a#s3cr3t", "://s3cr3t", "x)s3cr3t(", "s3cr3t/"]
SHAPES = [
    "acc0unt:{}@tcp(db.example.com:3306)/mattermod",
    "acc0unt:{}@db.example.com/mattermod",
    "acc0unt:{}@tcp(db.example.com:3306)",
    "mysql://acc0unt:{}@db.example.com/mattermod",
    "mysql://acc0unt:{}@db.example.com/matter mod",
    "mysql+x://acc0unt:{}@db.example.com/mattermod",
    "{}://acc0unt@db.example.com/mattermod",
    "mysql://acc0unt@db.example.com/mattermod?{}=1",
    "mysql://acc0unt@db.example.com/mattermod?tls={}",
    "mysql://acc0unt:{}%@db.example.com/mattermod",
]


def complaint_about(url: str) -> str:
    """The whole trace, without our own forms."""
    try:
        parse(url)
    except Mistake as mistake:
        return "".join(traceback.format_exception_only(mistake)).replace(FORMS, "")
    return ""


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_t15_a_mistake_shows_nothing_of_the_dsn(shape: str, secret: str) -> None:
    complaint = complaint_about(shape.format(secret))
    assert not [part for part in ("s3cr3t", "acc0unt", "db.example", "mattermod?") if part in complaint], complaint


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("localhost", True), ("LocalHost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True),
        ("127.db.example.com", False), ("127.0.0.1.example.com", False), ("localhost.example.com", False),
        ("127.1", False), ("127.", False), ("127.0.0.256", False), ("10.0.0.1", False), ("::2", False),
        ("169.254.169.254", False), ("0.0.0.0", False), ("::ffff:10.0.0.1", False), ("", False),
    ],
)  # fmt: skip
def test_t16_only_an_address_is_loopback(host: str, *, is_loopback: bool) -> None:
    """Without TLS the password's hash and all rows are there for whoever is on the way."""
    database = Database(host, 3306, "u", "d", "p")
    assert database.is_loopback == is_loopback
    assert ("ssl" in connect_options(database)) != is_loopback


@given(st.text(max_size=40).map(lambda text: f"mysql://u:s3cr3t@{text}") | st.text(max_size=40))
def test_any_text_is_understood_or_one_line(text: str) -> None:
    with contextlib.suppress(Mistake):
        parse(text)
        return
    with pytest.raises(Mistake) as caught:
        parse(text)
    complaint = str(caught.value)
    assert len(complaint.splitlines()) == 1
    assert "s3cr3t" not in complaint


def test_what_is_not_checked_is_said() -> None:
    assert "not checked" in parse("u:p@tcp(db.example.com:3306)/d?tls=skip-verify")[1][0]
    assert parse("u:p@tcp(db.example.com:3306)/d")[1] == ()
    assert parse("mysql://u:p@h/d", "", "insecure")[0].tls == "insecure"


def test_no_password_in_what_is_printed() -> None:
    assert "s3cr3t" not in repr(Database("h", 3306, "u", "d", "s3cr3t"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a certificate of it for the name db.example.com and the address 127.0.0.2."""
    home = tmp_path_factory.mktemp("tls")
    alternatives = "subjectAltName=DNS:db.example.com,IP:127.0.0.2"
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=db.example.com -keyout key.pem -out csr.pem",
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout other.key -out other.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=home, check=True, capture_output=True)
    (home / "ext").write_text(alternatives)
    sign = "x509 -req -days 2 -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext -out cert.pem"
    subprocess.run(["openssl", *sign.split()], cwd=home, check=True, capture_output=True)
    return home


@pytest.fixture(scope="module")
def with_tls(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    options = [f"--ssl-cert={certificates / 'cert.pem'}", f"--ssl-key={certificates / 'key.pem'}"]
    with servers.server(tmp_path_factory.mktemp("mariadb-tls"), *options, "--bind-address=0.0.0.0") as server:
        yield _with_account(server)


@pytest.fixture(scope="module")
def without_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with servers.server(tmp_path_factory.mktemp("mariadb-plain"), "--skip-ssl", "--bind-address=0.0.0.0") as server:
        yield _with_account(server)


def _with_account(server: servers.Server) -> Database:
    """Connect by an address that is not taken for loopback, as an account with a password."""
    with connect(server.database).cursor() as cursor:
        cursor.execute("CREATE USER 'runner'@'%' IDENTIFIED BY 's3cr3t'")
        cursor.execute("GRANT ALL ON *.* TO 'runner'@'%'")
    return replace(server.database, user="runner", password="s3cr3t")


class Elsewhere(Database):
    """The same machine, but taken for a distant one."""

    __slots__ = ()

    @property
    def is_loopback(self) -> bool:
        return False


def elsewhere(database: Database, *, ca: str = "", tls: str = "verify", host: str = OTHER_ADDRESS) -> Database:
    return Elsewhere(host, database.port, database.user, database.name, database.password, tls, ca)


def cipher(database: Database) -> str:
    _, rows = MySQLStore(database, RealClock()).execute("SHOW STATUS LIKE 'Ssl_cipher'", {})
    return str(rows[0][1])


def test_s11_a_certificate_of_the_given_authority_is_taken(with_tls: Database, certificates: Path) -> None:
    assert cipher(elsewhere(with_tls, ca=str(certificates / "ca.pem")))
    assert cipher(elsewhere(with_tls, ca=(certificates / "ca.pem").read_text()))


def test_s11_another_authority_another_name_and_no_tls_are_refused(
    with_tls: Database, without_tls: Database, certificates: Path
) -> None:
    ca = str(certificates / "ca.pem")
    for refused in (
        elsewhere(with_tls),
        elsewhere(with_tls, ca=str(certificates / "other.pem")),
        elsewhere(with_tls, ca=ca, host="127.0.0.3"),
        elsewhere(without_tls, ca=ca),
    ):
        with pytest.raises(Mistake) as caught:
            cipher(refused)
        [line] = str(caught.value).splitlines()
        assert "database-ca" in line
        assert "database-tls" in line
        assert "s3cr3t" not in line


def test_s11_insecure_is_encrypted_and_not_checked(with_tls: Database, without_tls: Database) -> None:
    assert cipher(elsewhere(with_tls, tls="insecure"))
    assert cipher(elsewhere(without_tls, tls="insecure")) == ""


def test_an_authority_that_is_no_certificate_is_one_line(with_tls: Database, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for ca in (str(tmp_path / "ca.pem"), str(tmp_path / "missing.pem")):
        with pytest.raises(Mistake, match="database-ca"):
            cipher(elsewhere(with_tls, ca=ca))


def test_s10_access_denied_is_one_line_without_the_password(with_tls: Database) -> None:
    for wrong in (replace(with_tls, password="wrong-s3cr3t"), replace(with_tls, user="nobody")):
        with pytest.raises(Mistake, match="refuses the user or the password") as caught:
            cipher(wrong)
        assert "s3cr3t" not in str(caught.value)
    with pytest.raises(Mistake, match="no such database"):
        cipher(replace(with_tls, name="missing"))


def test_a_server_that_is_down_is_down() -> None:
    with pytest.raises(Down, match="cannot be reached") as caught:
        cipher(Database("127.0.0.1", 1, "u", "d", "s3cr3t"))
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(Down):
        cipher(Database("no-such-host.invalid", 3306, "u", "d", "s3cr3t"))
