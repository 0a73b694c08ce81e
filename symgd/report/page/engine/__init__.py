"""The page's engine, in JavaScript: formulas, rules, schedules, read as Python does."""
