# Two phases on one base: the first has pip and a compiler's worth of build tools, the second only the result.
# The base is Debian's Python by digest, so that the same commit makes the same image. Where that registry
# can't be reached, or a vendor has an image of his own, name another with Python 3.11 or later and its venv:
#
#   buildah bud --format docker --build-arg BASE=registry.corp.example/python:3.13-slim -t egressd .
#
# Packages come from where pip is configured to look, or, without a network, from requirements/wheels if that
# folder is there: see docs/deploy.md. Either way nothing is installed whose hash is not known.
ARG BASE=docker.io/library/python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_REQUIRE_HASHES=1
COPY requirements requirements
RUN if [ -d requirements/wheels ]; then \
        printf '[global]\nno-index = true\nfind-links = /src/requirements/wheels\n' >/etc/pip.conf; \
    fi; \
    python3 -m venv /build && python3 -m venv --without-pip /opt/egressd && \
    /build/bin/python -m pip install --quiet -r requirements/build.txt && \
    /build/bin/python -m pip --python /opt/egressd/bin/python install --quiet -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY egressd egressd
COPY docs docs
COPY share share
RUN /build/bin/python -m build --wheel --no-isolation --outdir dist . >/dev/null && \
    PIP_REQUIRE_HASHES=0 /build/bin/python -m pip --python /opt/egressd/bin/python install --quiet \
        --no-index --no-deps dist/*.whl && \
    install -d -o 65532 -g 65532 -m 0700 /rootfs/var/lib/egressd

FROM ${BASE}
LABEL org.opencontainers.image.title="egressd" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.description="Says which phase of network egress failed, which device is to blame, on what evidence, and what to ask the firewall team for" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/egressd /opt/egressd
COPY --from=build --chown=65532:65532 /rootfs/var/lib/egressd /var/lib/egressd
COPY config/egressd.yml /etc/egressd/egressd.yml
ENV PATH=/opt/egressd/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    STATE_DIRECTORY=/var/lib/egressd
USER 65532:65532
VOLUME /var/lib/egressd
EXPOSE 10980
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 CMD ["egressd", "healthcheck"]
ENTRYPOINT ["/opt/egressd/bin/egressd"]
CMD ["--config.file=/etc/egressd/egressd.yml", "--web.listen-address=:10980"]
