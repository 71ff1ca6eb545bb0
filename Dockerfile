# Two images of one build: `full`, which is everything, and `serve`, which is origin and tracker:
# without native peers and the demo, and so without the codecs that these bring.
#
#   docker build -t p2pcdn .                        full
#   docker build -t p2pcdn:serve --target serve .

# The browser's part: Node stays in this stage.
FROM node:20-slim AS bundle
WORKDIR /src
COPY peer/browser/package.json peer/browser/package-lock.json peer/browser/.npmrc peer/browser/
RUN cd peer/browser && npm ci
COPY p2pcdn/__init__.py p2pcdn/
COPY peer/browser peer/browser
RUN cd peer/browser && npm run build

# The wheel, as it is published.
FROM python:3.11-slim AS wheel
WORKDIR /src
COPY deploy/locks/build.txt deploy/locks/
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \
    --require-hashes --requirement deploy/locks/build.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY p2pcdn p2pcdn
COPY tracker tracker
COPY peer peer
COPY origin origin
COPY --from=bundle /src/origin/static origin/static
COPY --from=bundle /src/tracker/static tracker/static
RUN python -m hatchling build --target wheel --directory /wheel

# What it needs, to the byte: `make lock` makes the lists. The environments have no pip of their own.
FROM python:3.11-slim AS serve-environment
RUN python -m venv --without-pip /opt/p2pcdn
ENV PIP="pip --python /opt/p2pcdn/bin/python install --no-cache-dir --disable-pip-version-check --root-user-action ignore"
COPY deploy/locks/serve.txt /locks/
RUN $PIP --require-hashes --requirement /locks/serve.txt
COPY --from=wheel /wheel /wheel
RUN $PIP --no-deps /wheel/*.whl

FROM serve-environment AS full-environment
COPY deploy/locks/full.txt /locks/
RUN $PIP --require-hashes --requirement /locks/full.txt

# What both images are beside it.
FROM python:3.11-slim AS base
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin p2pcdn \
    && install --directory --owner p2pcdn --group p2pcdn /data
ENV PATH=/opt/p2pcdn/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    P2PCDN_LISTEN=0.0.0.0:8080 \
    P2PCDN_DATA=/data
WORKDIR /data
VOLUME /data
# UDP is STUN, by which viewers behind NATs find each other.
EXPOSE 8080/tcp 8080/udp
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["p2pcdn", "healthcheck"]
ENTRYPOINT ["p2pcdn"]
CMD ["--help"]
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="p2pcdn" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

FROM base AS serve
LABEL org.opencontainers.image.description="Origin and tracker: viewers' browsers carry most of a site's video" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=serve-environment /opt/p2pcdn /opt/p2pcdn
COPY LICENSE /usr/share/doc/p2pcdn/
USER 10001:10001

FROM base AS full
LABEL org.opencontainers.image.description="Origin, tracker, native peer and demo: viewers' browsers carry most of a site's video" \
      org.opencontainers.image.licenses="Apache-2.0 AND LGPL-3.0-or-later AND GPL-2.0-or-later"
COPY --from=full-environment /opt/p2pcdn /opt/p2pcdn
# What PyAV's wheel bundles, and under which licences.
COPY LICENSE deploy/NOTICE.md /usr/share/doc/p2pcdn/
USER 10001:10001
