"""The catalogue of update rules: each one is its equations, its defaults and its source.

A new rule is one `Entry` in the file of its family. The texts are in the rule language of
`symgd.model.rules`.

The formulas are those of torch.optim if it has the rule, else of optax, else of the paper. The
notes state where these differ. The names that a prefix or suffix assigns beside g or theta are in
no rule, so that any of them can be combined with any rule.
"""

from symgd.model.rule_entries.adam_family import ADAM_FAMILY
from symgd.model.rule_entries.catalogue_entry import Entry
from symgd.model.rule_entries.classic_rules import CLASSIC
from symgd.model.rule_entries.looking_rules import LOOKING
from symgd.model.rule_entries.rule_parts import PARTS
from symgd.model.rule_entries.scale_rules import SCALING
from symgd.model.rule_entries.tuning_free_rules import TUNING_FREE

__all__ = ["CATALOGUE", "Entry"]

_ENTRIES = (*CLASSIC, *ADAM_FAMILY, *SCALING, *TUNING_FREE, *LOOKING, *PARTS)

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
"""The entries by name, in teaching order: rules from the plainest on, then prefixes, suffixes."""
