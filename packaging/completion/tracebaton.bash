# SPDX-License-Identifier: Apache-2.0
_tracebaton() {
    local cur=${COMP_WORDS[COMP_CWORD]}
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "run doctor stats why headers version help" -- "$cur")
    elif [ "${COMP_WORDS[1]}" = run ] && [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--off --shadow --verbose --quiet --dir --propagators --headers --peers --" -- "$cur")
    elif [ "${COMP_WORDS[1]}" = stats ] || [ "${COMP_WORDS[1]}" = why ]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
    fi
}
complete -F _tracebaton tracebaton
