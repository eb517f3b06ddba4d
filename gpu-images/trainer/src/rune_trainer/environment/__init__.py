"""The checks of an EnvironmentCheck on a node, and its question to a server: crds/kinds/environment-check.ts.

`python -m rune_trainer.environment` is the Job of one node, `python -m rune_trainer.environment.ask` the one that asks.
"""
