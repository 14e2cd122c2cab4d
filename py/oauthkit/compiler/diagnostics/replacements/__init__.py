"""Write the code that replaces code outside the dialect.

Each function returns the help, or "" if no code in the dialect does the same. CALLS and METHODS
find it by the name of the function or method that is called.
"""

from __future__ import annotations

from oauthkit.compiler.diagnostics.replacements import (
    environment,
    files,
    numbers,
    paths,
    programs,
    splits,
    texts,
)
from oauthkit.compiler.diagnostics.replacements.arguments import of_arguments
from oauthkit.compiler.diagnostics.replacements.blocks import of_open, of_try
from oauthkit.compiler.diagnostics.replacements.common import bound, called, shown
from oauthkit.compiler.diagnostics.replacements.conditions import (
    compared,
    of_and_or,
    of_condition,
    of_literal_operands,
    of_or_and,
)
from oauthkit.compiler.diagnostics.replacements.environment import (
    ENVIRONMENT_READS,
    of_get,
    of_variable,
    of_variable_choice,
)
from oauthkit.compiler.diagnostics.replacements.loops import (
    finds_files,
    of_enumerate,
    of_loop,
    of_sorted_files,
)
from oauthkit.compiler.diagnostics.replacements.numbers import of_bool_update, of_power, to_number
from oauthkit.compiler.diagnostics.replacements.paths import (
    after_last_slash,
    of_chdir,
    of_extension,
    of_getcwd,
    path_text,
)
from oauthkit.compiler.diagnostics.replacements.programs import of_exit
from oauthkit.compiler.diagnostics.replacements.splits import of_split_index
from oauthkit.compiler.diagnostics.replacements.texts import conversion, of_character, of_text_index

__all__ = [
    "CALLS",
    "ENVIRONMENT_READS",
    "METHODS",
    "after_last_slash",
    "bound",
    "called",
    "compared",
    "conversion",
    "finds_files",
    "of_and_or",
    "of_arguments",
    "of_bool_update",
    "of_character",
    "of_chdir",
    "of_condition",
    "of_enumerate",
    "of_exit",
    "of_extension",
    "of_get",
    "of_getcwd",
    "of_literal_operands",
    "of_loop",
    "of_open",
    "of_or_and",
    "of_power",
    "of_sorted_files",
    "of_split_index",
    "of_text_index",
    "of_try",
    "of_variable",
    "of_variable_choice",
    "path_text",
    "shown",
    "to_number",
]

CALLS = {
    **environment.CALLS,
    **files.CALLS,
    **numbers.CALLS,
    **paths.CALLS,
    **programs.CALLS,
    **texts.CALLS,
}
METHODS = {
    **files.METHODS,
    **paths.METHODS,
    **programs.METHODS,
    **splits.METHODS,
    **texts.METHODS,
}
