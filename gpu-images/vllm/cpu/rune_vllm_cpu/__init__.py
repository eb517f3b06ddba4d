"""What vLLM 0.32's CPU build lacks for pipeline parallelism, run-time LoRA, seeds, AMX and few cores. For CPU images only."""
