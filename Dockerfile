# The proxy as an image: Python's slim image, the proxy in a virtual environment, PostgreSQL's client programs.
#
# pg_dump reads servers up to its own version and no newer ones, so the image carries the newest release rather than
# the distribution's: it comes from the PostgreSQL project's packages, which Debian's postgresql-common sets up.
# Another one: docker build --build-arg PG_MAJOR=17 .

ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY clone_engine clone_engine
COPY proxy proxy
RUN python -m venv /opt/pgclone-proxy \
 && /opt/pgclone-proxy/bin/pip install --no-cache-dir --disable-pip-version-check --constraint requirements.lock .

FROM python:${PYTHON}
ARG PG_MAJOR=18
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates postgresql-common \
 && sh /usr/share/postgresql-common/pgdg/apt.*.sh -y \
 && apt-get install -y --no-install-recommends postgresql-client-${PG_MAJOR} \
 && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 pgclone-proxy \
 && useradd --uid 10001 --gid 10001 --no-log-init --shell /usr/sbin/nologin \
    --home-dir /var/lib/pgclone-proxy --create-home pgclone-proxy
COPY --from=build /opt/pgclone-proxy /opt/pgclone-proxy
COPY conf/pgclone-proxy.toml /etc/pgclone-proxy/pgclone-proxy.toml

# In a container clients come from outside it, and only the home directory is kept (the volume): the jobs, and what the
# proxy makes at its first start beside them, the key of kept passwords and the certificate that clients are shown.
ENV PATH=/opt/pgclone-proxy/bin:/usr/lib/postgresql/${PG_MAJOR}/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PGCLONE_PROXY_SERVER_LISTEN_HOST=0.0.0.0 \
    PGCLONE_PROXY_SERVER_UNIX_SOCKET_DIR="" \
    PGCLONE_PROXY_JOBS_STORE=/var/lib/pgclone-proxy/jobs.sqlite
USER pgclone-proxy
WORKDIR /var/lib/pgclone-proxy
VOLUME /var/lib/pgclone-proxy
EXPOSE 6432

# Asks for a start-up as a client would, and is content with any answer: the proxy is not unhealthy because a
# password is wanted or the target is down.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD pg_isready --quiet --host=127.0.0.1 --port=6432 --dbname=postgres --timeout=4
ENTRYPOINT ["pgclone-proxy"]
CMD ["serve", "-c", "/etc/pgclone-proxy/pgclone-proxy.toml"]
