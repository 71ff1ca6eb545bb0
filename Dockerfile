# Origin, tracker, native peer and demo in one image. `docker compose up` runs the demo of it.

# The browser's part: Node stays in this stage.
FROM node:20-slim AS bundle
WORKDIR /src
COPY peer/browser/package.json peer/browser/package-lock.json peer/browser/.npmrc peer/browser/
RUN cd peer/browser && npm ci
COPY p2pcdn/__init__.py p2pcdn/
COPY peer/browser peer/browser
RUN cd peer/browser && npm run build

# The Python part, in an environment that is copied as it is.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/p2pcdn
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY p2pcdn p2pcdn
COPY tracker tracker
COPY peer peer
COPY origin origin
COPY --from=bundle /src/origin/static origin/static
COPY --from=bundle /src/tracker/static tracker/static
RUN /opt/p2pcdn/bin/pip install --no-cache-dir --disable-pip-version-check '.[clickhouse]'

FROM python:3.11-slim
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin p2pcdn \
    && install --directory --owner p2pcdn --group p2pcdn /data
COPY --from=build /opt/p2pcdn /opt/p2pcdn
ENV PATH=/opt/p2pcdn/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    P2PCDN_LISTEN=0.0.0.0:8080 \
    P2PCDN_DATA=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
# UDP is STUN, by which viewers behind NATs find each other.
EXPOSE 8080/tcp 8080/udp
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["p2pcdn", "healthcheck"]
ENTRYPOINT ["p2pcdn"]
CMD ["--help"]
