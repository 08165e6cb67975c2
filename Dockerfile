# Two stages: the locked dependencies are checked and installed in the first, nothing of pip stays in the second.
# Made to run as:  docker run --read-only --tmpfs /tmp --cap-drop ALL -p 8000:8000 ticker
FROM python:3.11-slim AS build
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PATH=/venv/bin:$PATH TICKER_SERVER__HOST=0.0.0.0
COPY --from=build /venv /venv
WORKDIR /app
COPY ticker ticker
COPY feeds feeds
COPY web web
# compiled once, here: at run time nothing can be written, and each start would compile anew
RUN python -m compileall -q ticker feeds web
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["python", "-m", "ticker"]
