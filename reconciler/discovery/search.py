"""The search for the settings of an address, in a fixed order of sources, until one answers."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.discovery.autoconfig import LARGEST, NotAutoconfig, read_autoconfig
from reconciler.discovery.dns import LookupFailed, Records
from reconciler.discovery.found import FoundSettings, Lookup, Source, settings_of
from reconciler.discovery.guesses import first_that_answers
from reconciler.discovery.providers import of_domain, of_exchangers, of_servers
from reconciler.discovery.service_records import servers_of
from reconciler.mail.deadline import Deadline
from reconciler.mail.download import download
from reconciler.mail.faults import Cancelled, MailFault
from reconciler.model.domain import domain_key
from reconciler.model.protocol import Protocol
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.mail.dial import ConnectTo
    from reconciler.model.provider import Provider

AUTOCONFIG_URLS: Final = (
    "https://autoconfig.{domain}/mail/config-v1.1.xml",
    "https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
)
SECONDS: Final = 15.0
"""The time limit for one source."""


class Network(Struct, frozen=True):
    """How the search connects."""

    records: Records
    connect_to: ConnectTo
    ca_file: str | None = None
    seconds: float = SECONDS


def search(
    address: str, providers: tuple[Provider, ...], network: Network | None
) -> Iterator[Lookup]:
    """Ask one source after the other; the last lookup has the settings, if any were found.

    Without ``network`` only the providers are asked, by domain. No credential is sent to anybody.
    """
    domain = domain_key(address.rpartition("@")[2])
    known = of_domain(domain, providers)
    if known is not None:
        found = settings_of(known, Source.PROVIDER, address)
        yield Lookup(Source.PROVIDER, f"{domain} belongs to `{known.name}`", found)
        return
    yield Lookup(Source.PROVIDER, f"none for {domain}")
    if network is None:
        return
    for ask in (_exchangers, _autoconfig, _services, _guess):
        lookup = _named(ask(address, domain, providers, network), providers, address)
        yield lookup
        if lookup.found is not None:
            return


def _named(lookup: Lookup, providers: tuple[Provider, ...], address: str) -> Lookup:
    """The lookup with the provider that runs the found servers, if it is known."""
    found = lookup.found
    if found is None or found.provider is not None or found.anonymous:
        return lookup
    provider = of_servers(found.servers, providers)
    if provider is None:
        return lookup
    whole = settings_of(provider, found.source, address)
    return replace(lookup, found=whole, answer=f"{lookup.answer}: those of `{provider.name}`")


def _exchangers(
    address: str, domain: str, providers: tuple[Provider, ...], network: Network
) -> Lookup:
    try:
        hosts = network.records.mx(domain, Deadline(network.seconds))
    except LookupFailed as error:
        return Lookup(Source.MX, str(error))
    if not hosts:
        return Lookup(Source.MX, f"{domain} has none")
    provider = of_exchangers(hosts, providers)
    if provider is None:
        return Lookup(Source.MX, f"{hosts[0]} belongs to no known provider")
    found = settings_of(provider, Source.MX, address)
    return Lookup(Source.MX, f"{hosts[0]} belongs to `{provider.name}`", found)


def _autoconfig(
    address: str, domain: str, providers: tuple[Provider, ...], network: Network
) -> Lookup:
    del providers
    reasons = []
    deadline = Deadline(network.seconds)
    for template in AUTOCONFIG_URLS:
        url = template.format(domain=domain)
        host = url.split("/")[2]
        try:
            data = download(
                url, deadline.part(0.5), network.connect_to, network.ca_file, largest=LARGEST
            )
            found = read_autoconfig(data, address)
        except Cancelled:
            raise
        except ssl.SSLCertVerificationError:
            reasons.append(f"the certificate of {host} is not valid")
        except ssl.SSLError:
            reasons.append(f"{host} does not speak TLS")
        except NotAutoconfig as error:
            reasons.append(f"{host}: {error}")
        except MailFault as fault:
            reasons.append(f"{host}: {_reason(fault)}")
        else:
            return Lookup(Source.AUTOCONFIG, url, found)
    return Lookup(Source.AUTOCONFIG, "; ".join(reasons))


def _services(
    address: str, domain: str, providers: tuple[Provider, ...], network: Network
) -> Lookup:
    del address, providers
    try:
        found = servers_of(domain, network.records, Deadline(network.seconds))
    except LookupFailed as error:
        return Lookup(Source.SRV, str(error))
    if not found:
        return Lookup(Source.SRV, f"{domain} has none for IMAP or submission")
    settings = FoundSettings(
        source=Source.SRV, imap=found.get(Protocol.IMAP), smtp=found.get(Protocol.SMTP)
    )
    return Lookup(Source.SRV, f"records of {domain}", settings)


def _guess(address: str, domain: str, providers: tuple[Provider, ...], network: Network) -> Lookup:
    del address, providers
    imap, smtp = (
        first_that_answers(
            protocol, domain, network.connect_to, network.ca_file, Deadline(network.seconds)
        )
        for protocol in (Protocol.IMAP, Protocol.SMTP)
    )
    if imap is None and smtp is None:
        return Lookup(Source.GUESS, f"no imap., smtp. or mail.{domain} answers with valid TLS")
    hosts = " and ".join(dict.fromkeys(item.host for item in (imap, smtp) if item is not None))
    settings = FoundSettings(source=Source.GUESS, imap=imap, smtp=smtp)
    return Lookup(Source.GUESS, f"{hosts} answered with a valid certificate", settings)


def _reason(fault: MailFault) -> str:
    return str(fault) or "no answer"
