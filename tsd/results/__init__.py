"""The home of measured values: what a training's files hold, and what a report is made from."""
