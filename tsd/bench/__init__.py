"""How fast the project is, as ratios that a table and a JSON file hold."""
