import sys

from rune_trainer.environment.main import main

sys.exit(main())
