//! What bash evaluates although it is quoted. Each text of the first table was seen to run a command in bash 5.2 where the
//! value comes from elsewhere, or is a relative of one that was.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

use cavra_normalize::split_command;

#[test]
fn what_is_evaluated_is_not_resolved() {
    for text in [
        "x=1 a[x]=1",
        "[[ x -eq 0 ]]",
        "[[ $x -eq 0 ]]",
        "[[ 0 -lt \"$x\" ]]",
        "[[ a && x -ge 1 ]]",
        "[[ -v $x ]]",
        "[[ -v 'a[x]' ]]",
        "[ -v \"$x\" ]",
        "test -v $x",
        "test $o 'a[x]'",
        "let x",
        "let y=x",
        "let \"y = 1 + x\"",
        "let $x",
        "declare -i x",
        "typeset -gi x=y",
        "local -n x=y",
        "declare \"$x\"",
        "export \"$x\"",
        "declare 'a[x]=1'",
        "printf -v \"$x\" y",
        "printf -v RANDOM '%s' x",
        "printf '-va[x]' y",
        "printf \"$x\" y",
        "wait '-pa[x]'",
        "declare $x",
        "hash $x pytest",
        "for RANDOM in 'a[x]'; do pytest; done",
        "read $x",
        "read 'a[x]'",
        "read RANDOM",
        "unset 'a[x]'",
        "mapfile -C evil -c 1",
        "readarray -t -C evil -c1",
        "mapfile -tC evil a",
        "echo x {a['$(evil)']}>/dev/null",
        "PS4='$(evil)'",
        "PS4='$(evil)' true",
        "BASH_ENV=file bash -c true",
        "export BASH_ENV=file",
        "export ENV=file; sh -c true",
        "env BASH_ENV=file bash -c true",
        "readonly PROMPT_COMMAND=evil",
        "a=(['$(evil)']=1)",
        "a=(x [y]=1)",
        "a[x]=1",
        "a[x]+=1",
        "compgen -C evil",
        "compgen -W '$(evil)'",
        "fc -s",
        "OPTIND=x",
        "OPTIND='a[$(evil)]' true",
        "RANDOM='a[$(evil)]'",
        "export SECONDS=x",
        ". /dev/stdin",
        "source /dev/fd/3",
        "bash /dev/stdin",
        "sh /proc/self/fd/0",
        "hash -p ./evil pytest",
        "enable -f ./evil pytest",
        "builtin let x",
        "command read $x",
        "pytest && let x",
        "if [[ $x -gt 3 ]]; then pytest; fi",
    ] {
        assert!(split_command(text).unresolved.is_some(), "{text}");
    }
}

#[test]
fn what_is_fixed_is_resolved() {
    for text in [
        "[[ 3 -eq -4 ]]",
        "[[ $# -gt 0 && $? -ne 1 ]]",
        "[[ -f $x && $a == b* ]]",
        "[[ -v HOME ]]",
        "[ -v HOME ]",
        "[ \"$x\" -eq 0 ]",
        "test -n \"$x\"",
        "let 1+2",
        "declare x=1",
        "declare -A m",
        "export PATH=\"$HOME/bin:$PATH\"",
        "export \"PATH=$PATH:/x\"",
        "local x=\"$1\"",
        "printf '%s' \"$x\"",
        "printf 'value: %s' \"$x\"",
        "for i in a b; do pytest; done",
        "printf -v x '%s' \"$y\"",
        "read -r line",
        "unset x 'a[0]' 'a[@]'",
        "mapfile -t lines",
        "a=(x y)",
        "a[0]=x",
        "RANDOM=42",
        "OPTIND=1",
        "PS4= true",
        "source ./venv/bin/activate",
        "bash script.sh",
        "echo {a,b} 'x[y]'",
        "hash -r",
        "env CI=1 pytest",
    ] {
        let found = split_command(text);
        assert_eq!(found.unresolved, None, "{text}");
    }
}
