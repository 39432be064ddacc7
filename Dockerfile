# The relay in a container: no compiler, no installer, not root. Any tag of Python 3.11 or later will do.
#
#   docker build -t directmail-relay .
#   docker run -v ./config.yaml:/etc/directmail-relay/config.yaml:ro -v relay:/var/lib/directmail-relay \
#     -p 2525:2525 -p 8080:8080 directmail-relay
#
# In the configuration: listeners and http.listen on 0.0.0.0 (the health check asks 127.0.0.1:8080), and
# database: {url: "sqlite:////var/lib/directmail-relay/relay.db"}. Secrets must be readable by user 10001.
ARG PYTHON=python:3.12-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
RUN python -m venv /opt/directmail-relay
ENV PATH=/opt/directmail-relay/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The lock alone first: its layer stays while only the code changes.
COPY requirements-build.lock requirements.lock ./
RUN python -m pip install --require-hashes --only-binary :all: -r requirements-build.lock
# dkimpy comes as source alone; it is plain Python, so this needs no compiler either.
RUN python -m pip install --require-hashes --only-binary :all: --no-binary dkimpy --no-build-isolation -r requirements.lock
COPY pyproject.toml README.md ./
COPY directmail_relay ./directmail_relay
RUN python -m pip install --no-deps --no-build-isolation . \
    && python -m pip uninstall --yes -r requirements-build.lock \
    && python -m pip uninstall --yes pip

FROM ${PYTHON}
RUN groupadd --system --gid 10001 relay \
    && useradd --system --uid 10001 --gid relay --home-dir /var/lib/directmail-relay --shell /usr/sbin/nologin relay \
    && install --directory --owner relay --group relay --mode 0700 /var/lib/directmail-relay
COPY --from=build /opt/directmail-relay /opt/directmail-relay
ENV PATH=/opt/directmail-relay/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DIRECTMAIL_RELAY_CONFIG=/etc/directmail-relay/config.yaml
WORKDIR /var/lib/directmail-relay
VOLUME /var/lib/directmail-relay
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 2525 8080
STOPSIGNAL SIGTERM
# Without the proxy that the environment may name; an answer of 400 or more is an error to urllib.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
    "from urllib.request import *; build_opener(ProxyHandler({})).open('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["directmail-relay"]
CMD ["serve"]
