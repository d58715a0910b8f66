"""How often verdicts err, and how often they are reached: the command that finds out."""

from argparse import Namespace
from pathlib import Path


def simulate_verdicts(options: Namespace) -> None:
    """Simulate verdicts on the declared claims, and write into the documentation the rates."""
    from tsd.experiments.claims_schema import load_claims
    from tsd.experiments.load import load_experiments
    from tsd.reporting.simulation_page import REPLICATIONS, write

    folder = Path(options.experiments)
    experiments = load_experiments(folder)
    claims = load_claims(folder / "claims.yaml", experiments)
    write(options.out, claims, experiments, options.replications or REPLICATIONS)
    print(options.out)
