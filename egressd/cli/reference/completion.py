"""`egressd completion SHELL`: the script that makes a shell complete commands, options and values.

The script asks the program at each TAB, by variables that typer reads; nothing of the network is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from egressd.cli.guard import guarded
from egressd.cli.output import write
from egressd.errors import ExitCode

ASKED = "_EGRESSD_COMPLETE"
"""The variable by which a script asks."""


class Shell(StrEnum):
    """A shell that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_BASH = f"""\
_egressd() {{
    local IFS=$'\\n'
    COMPREPLY=($(COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD=$COMP_CWORD \\
        {ASKED}=complete_bash "$1" 2>/dev/null))
}}
complete -o default -o nosort -F _egressd egressd
"""

_ZSH = f"""\
#compdef egressd

_egressd() {{
    eval "$(_TYPER_COMPLETE_ARGS="${{words[1,$CURRENT]}}" {ASKED}=complete_zsh "${{words[1]}}" 2>/dev/null)"
}}
if [[ ${{funcstack[1]}} == _egressd ]]; then
    _egressd "$@"
else
    compdef _egressd egressd
fi
"""

_FISH = f"""\
function __egressd_complete
    set -lx {ASKED} complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION $argv[1]
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    egressd 2>/dev/null
end
complete --command egressd --no-files --condition '__egressd_complete is-args' \\
    --arguments '(__egressd_complete get-args)'
"""

SCRIPTS: Mapping[Shell, str] = {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}


@guarded
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> ExitCode:
    """Print the script by which a shell completes commands, options and names.

    bash: source <(egressd completion bash); zsh: the same, after compinit;
    fish: egressd completion fish | source.
    """
    write(SCRIPTS[shell], None)
    return ExitCode.OK
