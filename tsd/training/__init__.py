"""Training and inference through mmengine's runner."""
