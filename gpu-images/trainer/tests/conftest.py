import os

import pytest
import tiny
import torch

# The models are tiny and the machine may be shared: threads would only wait for each other.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture
def registry():
    made = tiny.Registry()
    yield made
    made.close()
