import sys

from rune_trainer.main import main

sys.exit(main())
