# Two stages: the first checks and installs the locked dependencies, so the second needs no pip.
# Meant to run as:  docker run --read-only --cap-drop ALL -p 8000:8000 ticker
FROM python:3.11-slim AS build
COPY requirements.txt .
RUN python -m venv --without-pip /venv \
 && python -m pip --python /venv/bin/python install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 PATH=/venv/bin:$PATH TICKER_SERVER__HOST=0.0.0.0
COPY --from=build /venv /venv
WORKDIR /app
COPY ticker ticker
COPY feeds feeds
COPY web web
# Compiled here, once, together with the standard library modules they import, which the base image has only as source:
# at run time nothing can be written, so every start would compile them again.
RUN python -m compileall -q ticker feeds web && python -c "import ticker.cli, ticker.run, urllib.request"
ENV PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
# Learns of another port, and of TLS, from the environment alone.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["python", "-c", "\
import os, ssl, urllib.request as web; \
scheme = 'https' if os.environ.get('TICKER_SERVER__TLS_CERT') else 'http'; \
url = f'{scheme}://127.0.0.1:{os.environ.get(\"TICKER_SERVER__PORT\", 8000)}/healthz'; \
web.urlopen(url, timeout=2, context=ssl._create_unverified_context())"]
ENTRYPOINT ["python", "-m", "ticker"]
