"""Mail over SMTP (RFC 5321) with STARTTLS (RFC 3207) or TLS, one connection a message.

What fails before the text was handed over certainly did not go out. Once the text is on its way and the server's word
does not come back, nobody can tell, and it is said so. The `Message-ID` is the same on every repetition.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime, parseaddr

from madang.connectors.smtp.config import SmtpConfig
from madang.kernel.clock import SEOUL, Clock, system_clock
from madang.kernel.errors import PermanentError, TemporaryError
from madang.kernel.mode import Mode
from madang.response.messaging.channels import Outgoing, UnsureError

RETRY_S = 20.0


class MailChannel:
    """Sends situation messages as plain text mail."""

    name = "email"
    ko = "전자우편"
    en = "E-mail"
    idempotent = False

    def __init__(self, config: SmtpConfig, clock: Clock = system_clock) -> None:
        self._config = config
        self._clock = clock
        self.modes: frozenset[Mode] = frozenset(config.modes)

    def send(self, outgoing: Outgoing) -> str:
        """Hands the message to the server; returns its `Message-ID`."""
        mail = self._mail(outgoing)
        try:
            server = self._connected()
            with contextlib.closing(server):
                self._envelope(server, outgoing.address)
                self._hand_over(server, mail)
                _part(server)
        except (smtplib.SMTPException, OSError) as error:
            raise _before_the_text(error) from None
        return str(mail["Message-ID"])

    def _connected(self) -> smtplib.SMTP:
        config = self._config
        if config.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                config.host, config.port, timeout=config.timeout_s, context=self._tls()
            )
        else:
            server = smtplib.SMTP(config.host, config.port, timeout=config.timeout_s)
        try:
            if config.security == "starttls":
                server.starttls(context=self._tls())
            if config.username:
                server.login(config.username, config.password.reveal())
        except BaseException:
            server.close()
            raise
        return server

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._config.certificates or None)

    def _envelope(self, server: smtplib.SMTP, address: str) -> None:
        server.ehlo_or_helo_if_needed()
        sender = parseaddr(self._config.sender)[1]
        for code, answer in (server.mail(sender), server.rcpt(address)):
            if code >= 400:
                raise smtplib.SMTPResponseException(code, answer)

    def _hand_over(self, server: smtplib.SMTP, mail: EmailMessage) -> None:
        try:
            server.data(mail.as_bytes(policy=WIRE))
        except smtplib.SMTPDataError:
            raise
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            raise UnsureError(f"the mail server fell silent after the text: {type(error).__name__}") from None

    def _mail(self, outgoing: Outgoing) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._config.sender
        mail["To"] = outgoing.address
        mail["Subject"] = outgoing.subject
        mail["Date"] = format_datetime(self._clock().astimezone(SEOUL))
        mail["Message-ID"] = f"<{outgoing.key}@{parseaddr(self._config.sender)[1].partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(outgoing.text)
        return mail


def _part(server: smtplib.SMTP) -> None:
    """Says goodbye; the message is taken by now, whatever the server makes of that."""
    with contextlib.suppress(smtplib.SMTPException, OSError):
        server.quit()


def _before_the_text(error: Exception) -> Exception:
    """What a failure before the text was handed over means. Neither address nor password is in the words."""
    if isinstance(error, smtplib.SMTPResponseException):
        code = error.smtp_code
        ours = isinstance(error, smtplib.SMTPAuthenticationError) or code == 530  # a login can be put right
        kind = PermanentError if 500 <= code < 600 and not ours else TemporaryError
        return kind(f"the mail server answered {code}")
    return TemporaryError(f"the mail server cannot be reached: {type(error).__name__}", delay_s=RETRY_S)
