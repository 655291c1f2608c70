# The shell of one page. It is told on standard input which blocks to run, as `HOW NUMBER`; what a block prints
# goes to NUMBER.out, and how it ended to NUMBER.status, in the folder that is the first argument.
yagura_docs=$1
set --
set -Eeuo pipefail
exec 8<&0 </dev/null
# Where in its block a command has failed.
trap 'printf "%s\n" "$LINENO" >"$yagura_docs/line"' ERR

# Whoever told us what to do may be gone while a block runs. Not a child of this shell, for pages may `wait`.
(
    (
        while [ -d "/proc/$PPID" ]; do sleep 1; done
        kill -KILL $(cat "$yagura_docs/groups" 2>/dev/null) 0
    ) >/dev/null 2>&1 8<&- &
)

while read -r -u 8 yagura_docs_how yagura_docs_block; do
    yagura_docs_status=0
    case $yagura_docs_how in
    # In this shell, so that variables and the folder stay. What fails ends it.
    run)
        source "$yagura_docs/$yagura_docs_block.sh" >"$yagura_docs/$yagura_docs_block.out" 2>&1 8<&-
        ;;
    # May fail, and leaves nothing behind.
    try)
        set +e
        (set -e; source "$yagura_docs/$yagura_docs_block.sh") >"$yagura_docs/$yagura_docs_block.out" 2>&1 8<&-
        yagura_docs_status=$?
        set -e
        ;;
    # In the background and in a process group of its own, whose number is the status. It ends with its server.
    serve)
        set -m
        (
            trap 'exit' TERM
            trap 'echo $? >"$yagura_docs/$yagura_docs_block.ended"' EXIT
            # Bash's own says 0 whatever came of those that it waits for. Those that their page kills do not count.
            wait() {
                [ $# = 0 ] || { builtin wait "$@"; return; }
                local job ended status=0
                for job in $(jobs -p); do
                    ended=0
                    builtin wait "$job" || ended=$?
                    case $status-$ended in 0-0 | 0-137 | 0-143) ;; 0-*) status=$ended ;; esac
                done
                return "$status"
            }
            source "$yagura_docs/$yagura_docs_block.sh"
        ) >"$yagura_docs/$yagura_docs_block.out" 2>&1 8<&- &
        yagura_docs_status=$!
        echo "-$yagura_docs_status" >>"$yagura_docs/groups"
        set +m
        ;;
    esac
    echo "$yagura_docs_status" >"$yagura_docs/$yagura_docs_block.status"
done
