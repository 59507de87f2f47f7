# One image for every process of the gateway; docker-compose.yml says which process it is. What only tests use stays out.
FROM python:3.11.10-slim-bookworm
RUN useradd --uid 10001 --no-create-home gateway && install --directory --owner gateway --mode 0700 /data /partners /witness
COPY requirements.image.lock /app/
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement /app/requirements.image.lock
COPY gateway /app/gateway
COPY adapters /app/adapters
COPY schemas /app/schemas
COPY mappings /app/mappings
WORKDIR /app
USER gateway
ENV GATEWAY_HOME=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["python", "-m", "gateway"]
