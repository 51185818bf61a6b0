# The release names the base by its digest; everywhere else a tag will do.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
COPY requirements.txt /build/
RUN python3 -m venv --without-pip /opt/mattermod \
 && python3 -m pip --disable-pip-version-check --no-cache-dir --python /opt/mattermod/bin/python \
      install --quiet --no-compile --no-deps --require-hashes --requirement /build/requirements.txt
