"""The only code that writes to MLflow."""
