# Two stages: the locked dependencies are checked and installed in the first, nothing of pip stays in the second.
# Made to run as:  docker run --read-only --cap-drop ALL -p 8000:8000 ticker
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
# compiled once, here, with what they import of Python's own, which the base image leaves as text: at run time nothing can
# be written, and each start would compile anew
RUN python -m compileall -q ticker feeds web && python -c "import ticker.cli, ticker.run, urllib.request"
ENV PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
# knows another port, and TLS, by the environment alone
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["python", "-c", "\
import os, ssl, urllib.request as web; \
scheme = 'https' if os.environ.get('TICKER_SERVER__TLS_CERT') else 'http'; \
url = f'{scheme}://127.0.0.1:{os.environ.get(\"TICKER_SERVER__PORT\", 8000)}/healthz'; \
web.urlopen(url, timeout=2, context=ssl._create_unverified_context())"]
ENTRYPOINT ["python", "-m", "ticker"]
