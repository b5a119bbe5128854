"""From the checked shape of a file to the values the other rooms know."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from egressd.config.alerts.settle import settle_alerts, settle_notify
from egressd.config.environment import EnvironmentProxies, read_environment
from egressd.config.schema import (
    EndpointPart,
    ExpectPart,
    File,
    OverridePart,
    ProbePart,
    ProxyPart,
    SamplesPart,
    SourcePart,
    WebPart,
)
from egressd.errors import ConfigError
from egressd.fields.files import read_secret
from egressd.fields.parse import parse_resolver
from egressd.model.endpoint import Cloud, Endpoint, Expect, Samples
from egressd.model.settings import (
    ConnectTo,
    Limits,
    Override,
    Proxy,
    Settings,
    Source,
    StateKeep,
    Trust,
    Web,
)


def convert(file: File) -> Settings:
    """Turn a file without mistakes into settings.

    Raises:
        ConfigError: what the file leads to can't be used: a secret, or the environment.
    """
    found = _proxies(file.proxy) if file.proxy else EnvironmentProxies()
    return Settings(
        region=file.region,
        cloud=file.cloud,
        profiles=tuple(dict.fromkeys(file.profiles)),
        interval=file.interval,
        sources=tuple(_source(one) for one in file.sources),
        resolvers=tuple(parse_resolver(one) for one in dict.fromkeys(file.resolvers)),
        trust=Trust(store=file.trust.store, public_roots=file.trust.public_roots),
        proxy=found.proxy,
        plain_proxy=found.plain_proxy,
        environment=found.warnings,
        limits=_limits(file.probe),
        endpoints=tuple(_endpoint(one) for one in file.endpoints),
        overrides=tuple(_override(one) for one in file.overrides),
        connect_to=tuple(
            ConnectTo(match=one.match, address=one.address, port=one.port) for one in file.connect_to
        ),
        values=tuple(_values(file.values)),
        state=StateKeep(directory=file.state.directory, retention=file.state.retention),
        web=_web(file.web),
        alerting=settle_alerts(file.alerts),
        notify=settle_notify(file.notify),
    )


def _source(part: SourcePart) -> Source:
    return Source(
        name=part.name,
        address=part.address,
        interface=part.interface,
        roles=tuple(dict.fromkeys(part.roles)),
    )


def _proxies(part: ProxyPart) -> EnvironmentProxies:
    """Take the proxy of the file, or those of the environment; the file's credentials and CA win."""
    if not part.from_environment:
        return EnvironmentProxies(
            proxy=_completed(Proxy(url=part.url or "", bypass=tuple(part.bypass)), part)
        )
    found = read_environment(os.environ)
    return replace(
        found, proxy=_completed(found.proxy, part), plain_proxy=_completed(found.plain_proxy, part)
    )


def _completed(proxy: Proxy | None, part: ProxyPart) -> Proxy | None:
    if proxy is None:
        return None
    proxy = replace(proxy, ca_file=part.ca_file)
    if part.username is None or part.password_file is None:
        return proxy
    return replace(proxy, username=part.username, password=_password(part.password_file))


def _password(path: str) -> str:
    try:
        return read_secret(Path(path))
    except ValueError as error:  # it could be read a moment ago
        raise ConfigError((f"proxy.password_file: {error}",)) from None


def _limits(part: ProbePart) -> Limits:
    return Limits(
        concurrency=part.concurrency,
        families=tuple(dict.fromkeys(part.families)),
        attempts=part.attempts,
        addresses=part.addresses,
        dns_timeout=part.dns_timeout,
        connect_timeout=part.connect_timeout,
        tls_timeout=part.tls_timeout,
        http_timeout=part.http_timeout,
        deadline=part.deadline,
        sweep_deadline=part.sweep_deadline,
        split_hello=part.controls.split_hello,
        ttl_sweep=part.controls.ttl_sweep,
    )


def _endpoint(part: EndpointPart) -> Endpoint:
    return Endpoint(
        id=part.id,
        profile="",
        service=part.service or part.id,
        pattern=part.host or part.pattern or "",
        port=part.port,
        protocol=part.protocol,
        roles=tuple(dict.fromkeys(part.roles)),
        need=part.need,
        condition=part.condition,
        purpose=part.purpose or "",
        inspection=part.inspection,
        private_link=part.private_link,
        internal=part.internal,
        path=part.path,
        expect=_expect(part.expect),
        samples=_samples(part.samples),
        clouds=tuple(Cloud),
    )


def _samples(part: SamplesPart) -> Samples:
    return Samples(documented=tuple(dict.fromkeys(part.documented)), random=part.random)


def _expect(part: ExpectPart) -> Expect:
    return Expect(
        status=tuple(part.status),
        content_type=part.content_type,
        sha256=part.sha256,
        min_bytes=part.min_bytes,
    )


def _override(part: OverridePart) -> Override:
    return Override(
        match=part.match,
        need=part.need,
        inspection=part.inspection,
        path=part.path,
        expect=_expect(part.expect) if part.expect else None,
        skip=part.skip,
    )


def _web(part: WebPart) -> Web:
    return Web(
        listen=part.listen,
        config_file=part.config_file,
        enable_reload=part.enable_reload,
        enable_probe=part.enable_probe,
    )


def _values(given: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Flatten: a key stands once for each of its values."""
    return [(key, one.lower()) for key, values in given.items() for one in dict.fromkeys(values)]
