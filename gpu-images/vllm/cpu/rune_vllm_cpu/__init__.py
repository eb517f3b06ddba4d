"""What vLLM 0.32's CPU build lacks for pipeline parallelism and run-time LoRA. For CPU images only."""
