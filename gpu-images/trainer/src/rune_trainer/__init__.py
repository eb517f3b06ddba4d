"""Makes LoRA adapters from what agents did, and publishes them by digest."""
