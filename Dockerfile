# The app for others; docs/deploy.md says how to build it, run it and let people in. Nothing secret belongs in an image.
FROM python:3.12-slim

# PyTorch's own index has the build without CUDA; https://pypi.org/simple here gives the one for NVIDIA cards.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# 1 adds Chromium, which draws figures as PDF, SVG and PNG.
ARG WITH_CHROMIUM=0

# Listening beyond the container keeps the app closed until there is a login (ui/guard.py). Without a name of its own,
# Streamlit would ask an outside service for the machine's address at every start.
ENV EXPLORER_CACHE=/data \
    HF_HUB_DISABLE_TELEMETRY=1 \
    PYTHONUNBUFFERED=1 \
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501

# Hugging Face Spaces run an image as user 1000.
RUN useradd --create-home --uid 1000 explorer && install --directory --owner=explorer --group=explorer /data

RUN if [ "$WITH_CHROMIUM" = 1 ]; then \
        apt-get update && apt-get install --yes --no-install-recommends chromium fonts-liberation fontconfig && rm -rf /var/lib/apt/lists/*; \
    fi

WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" -r requirements.txt "streamlit[auth]"

COPY LICENSE app.py ./
COPY .streamlit/config.toml .streamlit/
COPY demo demo
COPY analysis analysis
COPY pages pages
COPY ui ui
# Workers are processes of their own, and their user may not write here.
RUN python -m compileall -q analysis pages ui

USER 1000
VOLUME /data
EXPOSE 8501
HEALTHCHECK --start-period=60s CMD python -c "import urllib.request as web; web.urlopen( \
    'http://127.0.0.1:$STREAMLIT_SERVER_PORT${STREAMLIT_SERVER_BASE_URL_PATH:+/$STREAMLIT_SERVER_BASE_URL_PATH}/_stcore/health')"
CMD ["streamlit", "run", "app.py"]
