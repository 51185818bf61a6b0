# A tag by default; whoever builds for others gives a digest.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
# Behind a proxy of one's own, the system's certificate authorities are the ones that count.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    UV_LINK_MODE=copy \
    UV_PROJECT_ENVIRONMENT=/opt/mattermod \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /build
COPY scripts/uv.txt scripts/
RUN python3 -m venv /uv \
 && /uv/bin/pip install --quiet --no-cache-dir --require-hashes --requirement scripts/uv.txt
COPY pyproject.toml uv.lock ./
RUN /uv/bin/uv sync --quiet --no-cache --locked --no-dev --no-install-project
COPY README.md LICENSE ./
COPY migrations migrations
COPY mattermod_action mattermod_action
COPY scripts/trim scripts/
RUN /uv/bin/uv sync --quiet --no-cache --locked --no-dev --no-editable \
 && scripts/trim /opt/mattermod \
 && /opt/mattermod/bin/python -m compileall -q -f --invalidation-mode unchecked-hash /opt/mattermod \
 && chmod -R a+rX,a-w /opt/mattermod

FROM ${BASE}
# Slim images carry no bytecode, and a fresh container would compile the standard library on each event.
# Unchecked: nothing in an image is ever edited, so no source is looked at, whatever its time stamp says.
# hadolint ignore=DL3008
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends git > /dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log \
      /usr/share/doc /usr/share/locale /usr/share/man \
 && python3 -m compileall -q -f --invalidation-mode unchecked-hash \
      -x '/(test|idlelib|turtledemo|lib2to3|site-packages|ensurepip)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && rm -rf /root/.cache /tmp/*
COPY --from=build /opt/mattermod /opt/mattermod
# No USER: the runner's files are not that account's. The run leaves root by itself (privileges.py), and nobody may write
# to its code.
ENV PATH=/opt/mattermod/bin:$PATH \
    MATTERMOD_IMAGE=true \
    PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["mattermod"]
CMD ["run"]
