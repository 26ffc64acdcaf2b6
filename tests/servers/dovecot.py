"""A private Dovecot: IMAP in every TLS mode, LMTP and SASL for Postfix, tokens by introspection.

It needs no root and starts in some 40 ms. Its configuration, mail and log are in one folder.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from imapclient.imap_utf7 import encode

from tests.servers.accounts import ACCOUNTS, LOCAL_SENT, LOCKED_OUT, SENT
from tests.servers.authority import EXPIRED, UNTRUSTED
from tests.servers.loopback import LOOPBACK, free_port, greets, wait_until
from tests.servers.process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.accounts import Account
    from tests.servers.authority import Authority

LOGIN_DISABLED: Final = "127.0.0.2"
"""Dovecot considers a connection between equal addresses secure; here it refuses plain passwords."""
NO_STARTTLS: Final = "127.0.0.3"
"""Here it offers no STARTTLS either."""

MECHANISMS: Final = "plain login cram-md5 xoauth2 oauthbearer"

_CONFIGURATION: Final = r"""
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
instance_name = {folder}
protocols = imap lmtp
default_internal_user = {internal_user}
default_internal_group = {internal_group}
default_login_user = {internal_user}
default_vsz_limit = 0
first_valid_uid = 1
first_valid_gid = 1
mail_uid = {mail_uid}
mail_gid = {mail_gid}
mail_location = maildir:~/Maildir
mail_fsync = never

auth_mechanisms = {mechanisms}
auth_verbose = yes
auth_failure_delay = 0
mail_max_userip_connections = 100
disable_plaintext_auth = yes

ssl = yes
ssl_cert = <{good}
ssl_key = <{good}
local_name {expired_name} {{
  ssl_cert = <{expired}
  ssl_key = <{expired}
}}
local_name {untrusted_name} {{
  ssl_cert = <{untrusted}
  ssl_key = <{untrusted}
}}
local {no_starttls} {{
  ssl = no
}}

passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login cram-md5
  args = username_format=%Lu {folder}/passwords
}}
userdb {{
  driver = passwd-file
  args = username_format=%Lu {folder}/mailboxes
}}

namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    special_use = \Drafts
  }}
  mailbox {sent} {{
    special_use = \Sent
  }}
  mailbox "{local_sent}" {{
    special_use = \Sent
  }}
}}

mail_plugins = $mail_plugins quota
protocol imap {{
  mail_plugins = $mail_plugins imap_quota
}}
plugin {{
  quota = maildir:mailbox
  quota_rule = *:storage=100M
}}

service imap-login {{
  chroot =
  process_min_avail = 2
  inet_listener imap {{
    address = {starttls_addresses}
    port = {starttls_port}
  }}
  inet_listener imaps {{
    address = {loopback}
    port = {tls_port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 200
  unix_listener imap-master {{
    mode = 0
  }}
}}
service anvil {{
  chroot =
  # The penalty would delay one test for the failures of another.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service auth {{
  unix_listener sasl {{
    mode = 0666
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
"""

SENTINEL: Final = "sentinel"

_OAUTH2: Final = """
introspection_mode = post
introspection_url = {introspection_url}
username_attribute = username
active_attribute = active
active_value = true
scope = mail
client_id = dovecot
client_secret = introspects
"""

_REJECTED: Final = re.compile(r"auth: Info: [\w-]+\((?P<user>[^,)]+)[^)]*\): Password mismatch")


def dovecot_program() -> str | None:
    """Where Dovecot is installed, or None. On Debian only root's PATH includes it."""
    return _program("dovecot")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin")


class Dovecot:
    """A running Dovecot. ``tls_port`` speaks TLS at once, ``starttls_port`` after STARTTLS."""

    def __init__(
        self,
        program: str,
        folder: Path,
        authority: Authority,
        *,
        introspection_url: str,
        mechanisms: str = MECHANISMS,
    ) -> None:
        self.program = program
        self.folder = folder
        self.tls_port = free_port()
        self.starttls_port = free_port()
        self._doveadm = _program("doveadm") or "doveadm"
        self._write(authority, introspection_url, mechanisms)
        self._process = ServerProcess(program, "-F", "-c", str(self.configuration))
        try:
            wait_until(lambda: greets(self.starttls_port, b"ready"), "Dovecot greets")
        except TimeoutError:
            self.stop()
            raise RuntimeError(f"Dovecot did not start:\n{self.log}") from None

    @property
    def pid(self) -> int:
        """The number of its first process."""
        return self._process.pid

    @property
    def configuration(self) -> Path:
        """Its configuration file."""
        return self.folder / "dovecot.conf"

    @property
    def sasl_socket(self) -> Path:
        """Where Postfix checks passwords."""
        return self.folder / "run" / "sasl"

    @property
    def lmtp_socket(self) -> Path:
        """Where Postfix delivers to."""
        return self.folder / "run" / "lmtp"

    @property
    def log(self) -> str:
        """What it has logged."""
        path = self.folder / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def failed_logins(self, username: str) -> int:
        """Count the wrong passwords that were tried for this account, over IMAP and SMTP.

        The log is read after one more, for an account that exists for this, has come out: the one
        process that checks passwords logs in order, so all that came before is there by then.
        """
        before = self._rejected(SENTINEL)
        quiet = subprocess.DEVNULL
        command = (self._doveadm, "-c", self.configuration, "auth", "test", SENTINEL, "wrong")
        with subprocess.Popen(command, stdout=quiet, stderr=quiet) as doveadm:
            wait_until(lambda: self._rejected(SENTINEL) > before, "the failed login is logged")
            doveadm.terminate()  # Dovecot answers up to half a second later
        return self._rejected(username)

    def _rejected(self, username: str) -> int:
        return _REJECTED.findall(self.log).count(username)

    def stop(self) -> None:
        """End it."""
        self._process.end()
        (self.folder / "mail" / LOCKED_OUT.name).chmod(0o700)  # otherwise only root could delete it

    def _write(self, authority: Authority, introspection_url: str, mechanisms: str) -> None:
        internal, mail = _system_user("dovecot"), _system_user("nobody")
        text = _CONFIGURATION.format(
            folder=self.folder,
            mechanisms=mechanisms,
            internal_user=internal.pw_name,
            internal_group=_group(internal),
            mail_uid=mail.pw_uid,
            mail_gid=mail.pw_gid,
            good=authority.good,
            expired=authority.expired,
            expired_name=EXPIRED,
            untrusted=authority.untrusted,
            untrusted_name=UNTRUSTED,
            no_starttls=NO_STARTTLS,
            loopback=LOOPBACK,
            starttls_addresses=f"{LOOPBACK} {LOGIN_DISABLED} {NO_STARTTLS}",
            starttls_port=self.starttls_port,
            tls_port=self.tls_port,
            sent=SENT,
            local_sent=LOCAL_SENT,
        )
        self.configuration.write_text(text)
        oauth2 = _OAUTH2.format(introspection_url=introspection_url)
        (self.folder / "oauth2.conf").write_text(oauth2)
        passwords = [(account.username, account.password) for account in ACCOUNTS]
        lines = (
            f"{username}:{{PLAIN}}{password}\n"
            for username, password in (*passwords, (SENTINEL, "right"))
        )
        (self.folder / "passwords").write_text("".join(lines))
        mailboxes = tuple(account for account in ACCOUNTS if account.mailbox)
        homes = {account: self.folder / "mail" / account.name for account in mailboxes}
        (self.folder / "mailboxes").write_text(
            "".join(f"{account.username}:::::{home}::\n" for account, home in homes.items())
        )
        for account, home in homes.items():
            _make_home(home, account, mail)


def _system_user(preferred: str) -> pwd.struct_passwd:
    """Find the user to run as: only root has a choice."""
    return pwd.getpwnam(preferred) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _group(user: pwd.struct_passwd) -> str:
    return grp.getgrgid(user.pw_gid).gr_name


def _make_home(home: Path, account: Account, owner: pwd.struct_passwd) -> None:
    """Make a home with the folder for sent mail, named as Maildir++ has it; Dovecot makes the rest."""
    home.mkdir(parents=True)
    if account.sent is not None:
        folder = home / "Maildir" / f".{encode(account.sent).decode()}"
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True)
        (folder / "maildirfolder").touch()
    for path in (home, *home.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    if account is LOCKED_OUT:
        home.chmod(0)
