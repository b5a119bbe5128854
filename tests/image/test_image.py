"""The image builds without a registry, and its container passes its own health check."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme

from tests.image.container import Container, Store
from tests.systemd.debian import skip_without

pytestmark = pytest.mark.machine


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """Return a store for images."""
    skip_without("buildah", "runc", "mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="egressd-image-", ignore_cleanup_errors=True) as folder:
        made = Store(Path(folder))
        yield made
        made.close()


@pytest.fixture(scope="module")
def image(store: Store) -> dict[str, Any]:
    """Return the configuration of the image, built once."""
    return store.build()


@pytest.fixture(scope="module")
def files(store: Store, image: dict[str, Any]) -> Path:
    """Return the files in the image."""
    return store.unpacked()


@pytest.fixture
def container(image: dict[str, Any], files: Path, tmp_path: Path) -> Iterator[Container]:
    """Return a running container."""
    made = Container(folder=tmp_path, name=f"egressd-{os.getpid()}-{tmp_path.name}")
    made.start(files, image)
    yield made
    made.close()


def health_check(image: dict[str, Any]) -> list[str]:
    """Return the command of the health check."""
    kind, *command = map(str, image["Healthcheck"]["Test"])
    assert kind == "CMD"
    return command


def test_container_passes_its_health_check(container: Container, image: dict[str, Any]) -> None:
    """Read-only, without capabilities or network, the daemon starts and passes the health check."""
    container.wait(*health_check(image))
    container.wait("egressd", "healthcheck", "--url", "http://127.0.0.1:10980/-/ready")
    assert container.run("touch", "/etc/egressd/new").returncode != 0
    assert container.run("test", "-s", "/var/lib/egressd/state.db").returncode == 0
    status = container.run("cat", "/proc/1/status").stdout
    assert ("CapEff:\t" + "0" * 16) in status
    assert "Uid:\t65532\t65532" in status


def test_health_check_with_tls_and_a_password(files: Path, image: dict[str, Any], tmp_path: Path) -> None:
    """With login and CA in environment variables the health check passes; without them it fails."""
    given = tmp_path / "given"
    given.mkdir(mode=0o755)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(given / "ca.pem")
    issued.private_key_and_cert_chain_pem.write_to_path(given / "server.pem")
    (given / "password").write_text("Tr0ub4dor\n", encoding="ascii")
    pem = "/run/given/server.pem"
    web = {
        "tls_server_config": {"cert_file": pem, "key_file": pem},
        "basic_auth_users": {"probe": bcrypt.hashpw(b"Tr0ub4dor", bcrypt.gensalt(4)).decode()},
    }
    (given / "web.yml").write_text(json.dumps(web), encoding="utf-8")
    for one in given.iterdir():
        one.chmod(0o644)
    container = Container(folder=tmp_path, name=f"egressd-{os.getpid()}-behind")
    environment = {
        "URL": "https://127.0.0.1:10980/-/healthy",
        "USERNAME": "probe",
        "PASSWORD_FILE": "/run/given/password",
        "CA_FILE": "/run/given/ca.pem",
    }
    container.start(
        files,
        image,
        arguments=("--web.config.file=/run/given/web.yml",),
        environment=tuple(f"EGRESSD_HEALTHCHECK_{name}={value}" for name, value in environment.items()),
        given=given,
    )
    try:
        container.wait(*health_check(image))
        ended = container.run("env", "-u", "EGRESSD_HEALTHCHECK_CA_FILE", *health_check(image))
        assert (ended.returncode, "certificate verify failed" in ended.stderr) == (1, True)
        without = ("-u", "EGRESSD_HEALTHCHECK_USERNAME", "-u", "EGRESSD_HEALTHCHECK_PASSWORD_FILE")
        ended = container.run("env", *without, *health_check(image))
        assert (ended.returncode, "answers 401" in ended.stderr) == (1, True)
    finally:
        container.close()


def test_a_hung_daemon_fails_the_health_check(container: Container, image: dict[str, Any]) -> None:
    """A daemon that does not answer is unhealthy."""
    container.wait(*health_check(image))
    container.signal("STOP")
    ended = container.run(*health_check(image))
    assert ended.returncode == 1
    assert "no complete answer" in ended.stderr


def test_stop_signal_ends_the_daemon(container: Container, image: dict[str, Any]) -> None:
    """On the image's stop signal the daemon exits with 0."""
    container.wait(*health_check(image))
    container.signal(image["StopSignal"])
    assert container.process.wait(10) == 0
    assert '"stopped"' in container.log


def test_image_has_no_build_tools(files: Path) -> None:
    """The image has no pip, no sources, and no wheels."""
    assert not list((files / "opt/egressd").glob("lib/python*/site-packages/pip"))
    assert not (files / "src").exists()
    assert not (files / "build").exists()
