function __egressd_complete
    set -lx _EGRESSD_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION $argv[1]
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    egressd 2>/dev/null
end
complete --command egressd --no-files --condition '__egressd_complete is-args' \
    --arguments '(__egressd_complete get-args)'
