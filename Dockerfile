# Serves the page on port 7860, on the CPU:
#   docker build --tag fer-demo .
#   docker run --publish 7860:7860 fer-demo
FROM python:3.11-slim

ENV GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

RUN useradd --create-home --uid 1000 demo
WORKDIR /app

# PyTorch's own index has builds without CUDA libraries. An index that could not be reached, or had one of the pair only,
# fails the second line here instead of serving 4 GB more or an error.
COPY requirements.txt .
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu --requirement requirements.txt \
    && python -c "import torch, torchvision; assert torch.version.cuda is None, torch.version.cuda"

COPY app.py .
COPY models models
COPY fer_core fer_core
COPY tabs tabs

USER 1000
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/health', timeout=8)"]
CMD ["python", "app.py"]
