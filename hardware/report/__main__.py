"""For a person who has a run folder and no wish for the whole command line."""

from hardware.report.command import main

raise SystemExit(main())
