"""What is measured, a module for each kind of row: its doc string's first line is the heading, measure(bench) does it."""
ORDER = ("policy", "long_answers", "memory", "pauses", "storm", "cold", "settings", "imports", "nodes", "start", "milter", "instructions")
QUICK = ("policy", "long_answers", "settings", "milter", "instructions")
