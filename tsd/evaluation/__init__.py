"""COCO metrics, parameter counts and latency of detectors."""
