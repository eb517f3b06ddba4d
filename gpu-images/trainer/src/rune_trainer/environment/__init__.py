"""What an EnvironmentCheck finds out on a node, and how it asks a server: crds/kinds/environment-check.ts.

`python -m rune_trainer.environment` is the Job of one node, `python -m rune_trainer.environment.ask` the one that asks.
"""
