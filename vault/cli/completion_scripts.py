# SPDX-License-Identifier: Apache-2.0
"""Scripts by which shells complete the words after ``sandyk``, written from the tree of commands.

Static: they run nothing, ask no vault, and so know the names of commands, of options, and of files, and nothing that
is secret. Pure: text in, text out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from vault.cli.tree import Argument, CommandShape, Option, Value

_ABOUT = """\
# Completes the names of sandyk's commands and options, and of files. It runs nothing and knows no name in a vault.
# Whoever finds this file sees that sandyk was here. Made by: sandyk completion {name}
"""
_HELP_WIDTH = 70


def bash(tree: CommandShape) -> str:
    """For bash 3.2 and later; from 4 on it offers nothing, instead of files, where a name is expected."""
    takes = "".join(f"        {pattern}) value={_quoted(value)} ;;\n" for pattern, value in _values(tree))
    paths = "|".join(f'"{" ".join(each.path[:-1])} {each.path[-1]}"' for each in tree.walk() if each.path)
    cases = "".join(
        f'        "{" ".join(each.path)}") words={_quoted(_names(each))} options={_quoted(_options(each))} '
        f"arguments=({' '.join(_quoted(_kind(a)) for a in each.arguments)}) ;;\n"
        for each in tree.walk()
    )
    return _ABOUT.format(name="bash") + _BASH.format(takes=takes, paths=paths, cases=cases)


def zsh(tree: CommandShape) -> str:
    """For zsh, as a file ``_sandyk`` in ``$fpath`` or read by ``source``."""
    functions = "".join(_zsh_function(each) for each in reversed(list(tree.walk())))
    return "#compdef sandyk\n" + _ABOUT.format(name="zsh") + functions + _ZSH_END


def fish(tree: CommandShape) -> str:
    """For fish 3.0 and later."""
    lines = [_ABOUT.format(name="fish") + _fish_start(tree)]
    for each in tree.walk():
        here = f"-n '__sandyk_at \"{' '.join(each.path)}\"'"
        lines += [f"complete -c sandyk {here} -a {c.path[-1]} -d {_fish(c.short)}\n" for c in each.commands]
        if any(argument.value is Value.FILE for argument in each.arguments):
            lines.append(f"complete -c sandyk {here} -F\n")
        lines += [f"complete -c sandyk {here} -a {_fish(' '.join(a.choices))}\n" for a in each.arguments if a.choices]
        lines += [f"complete -c sandyk {here} {_fish_option(option)}\n" for option in each.options]
    return "".join(lines)


def powershell(tree: CommandShape) -> str:
    """For Windows PowerShell 5.1 and PowerShell 7."""
    rows = "".join(
        f"    '{' '.join(each.path)}' = @{{ words = {_powershell([c.path[-1] for c in each.commands])}; "
        f"options = {_powershell([n for o in each.options for n in o.names])}; "
        f"takes = {_powershell([n for o in each.options if o.value is not Value.NONE for n in o.names])} }}\n"
        for each in tree.walk()
    )
    return _ABOUT.format(name="powershell") + _POWERSHELL.format(rows=rows)


SCRIPTS: dict[str, Callable[[CommandShape], str]] = {"bash": bash, "zsh": zsh, "fish": fish, "powershell": powershell}


def _names(shape: CommandShape) -> str:
    return " ".join(command.path[-1] for command in shape.commands)


def _options(shape: CommandShape) -> str:
    return " ".join(name for option in shape.options for name in option.names)


def _kind(of: Option | Argument) -> str:
    return " ".join([of.value, *of.choices])


def _quoted(words: str) -> str:
    return f'"{words}"'


def _values(tree: CommandShape) -> Iterator[tuple[str, str]]:
    """Patterns over "path option", and what its value is: those that differ by path first, then one for all paths."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in tree.walk():
        for option in each.options:
            value = _kind(option) if option.value is not Value.NONE else ""
            for name in option.names:
                found[name][value].append(" ".join(each.path))
    for name, by_value in found.items():
        if len(by_value) > 1:
            for value, paths in by_value.items():
                yield "|".join(f'"{path} {name}"' for path in paths), value
    agreed: dict[str, list[str]] = defaultdict(list)
    for name, by_value in found.items():
        if len(by_value) == 1 and (value := next(iter(by_value))):
            agreed[value].append(f'*" {name}"')
    for value, patterns in agreed.items():
        yield "|".join(patterns), value


_BASH = """\
_sandyk_value() {{
    value=
    case "$1 $2" in
{takes}    esac
}}
_sandyk() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} at= value= word words= options= count=0 i=1 kind
    local -a arguments=()
    COMPREPLY=()
    while [ "$i" -lt "$COMP_CWORD" ]; do
        word=${{COMP_WORDS[i]}}
        i=$((i + 1))
        _sandyk_value "$at" "$word"
        if [ -n "$value" ] && [ "$i" -lt "$COMP_CWORD" ]; then
            i=$((i + 1))
            value=
            continue
        fi
        case "$at $word" in
            {paths}) at="${{at:+$at }}$word" ;;
            *" -"*) ;;
            *) count=$((count + 1)) ;;
        esac
    done
    case "$at" in
{cases}    esac
    if [ -n "$value" ]; then
        kind=$value
    elif [ -n "$words" ] || [ "${{cur#-}}" != "$cur" ]; then
        kind="choice $words"
        [ "${{cur#-}}" != "$cur" ] && kind="choice $options"
    else
        kind=secret
        [ "${{#arguments[@]}}" -gt 0 ] && kind=${{arguments[${{#arguments[@]}} - 1]}}
        [ "$count" -lt "${{#arguments[@]}}" ] && kind=${{arguments[count]}}
    fi
    case "$kind" in
        file) compopt -o default 2>/dev/null ;;
        folder) compopt +o default -o dirnames 2>/dev/null ;;
        choice*)
            compopt +o default 2>/dev/null
            COMPREPLY=($(compgen -W "${{kind#choice}}" -- "$cur"))
            ;;
        *) compopt +o default 2>/dev/null ;;
    esac
}}
complete -o default -F _sandyk sandyk
"""


def _zsh_function(shape: CommandShape) -> str:
    name = "_".join(["_sandyk", *shape.path])
    specs = [_zsh_option(option) for option in shape.options]
    if not shape.commands:
        specs += [_zsh_argument(argument, last=argument is shape.arguments[-1]) for argument in shape.arguments]
        body = " \\\n        ".join(["_arguments -s -S", *specs])
        return f"{name}() {{\n    {body}\n}}\n"
    body = " \\\n        ".join(["_arguments -C -s -S", *specs, "'1: :->command'", "'*:: :->rest'"])
    described = "".join(f"            {_zsh(f'{c.path[-1]}:{_brief(c.short)}')}\n" for c in shape.commands)
    below = "".join(f"        {c.path[-1]}) {'_'.join(['_sandyk', *c.path])} ;;\n" for c in shape.commands)
    return (
        f"{name}() {{\n    local context state line\n    typeset -A opt_args\n    {body}\n    case $state in\n"
        f"    command)\n        local -a commands=(\n{described}        )\n"
        f"        _describe -t commands 'sandyk command' commands\n        ;;\n"
        f"    rest)\n        case $line[1] in\n{below}        esac\n        ;;\n    esac\n}}\n"
    )


_ZSH_END = """\
if [ "${funcstack[1]}" = _sandyk ]; then
    _sandyk "$@"
else
    compdef _sandyk sandyk
fi
"""
_ZSH_ACTIONS = {Value.FILE: "_files", Value.FOLDER: "_files -/", Value.SECRET: "( )"}


def _zsh(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_text(text: str) -> str:
    """A description inside of a specification of _arguments."""
    return _brief(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def _zsh_option(option: Option) -> str:
    action = "" if option.value is Value.NONE else f":{_zsh_text(option.metavar)}:{_zsh_action(option)}"
    names = option.names[0] if len(option.names) == 1 else "{" + ",".join(option.names) + "}"
    text = _zsh(f"[{_zsh_text(option.help)}]{action}")
    return f"'*'{names}{text}"


def _zsh_argument(argument: Argument, *, last: bool) -> str:
    return _zsh(f"{'*' if last else ''}:{_zsh_text(argument.metavar)}:{_zsh_action(argument)}")


def _zsh_action(of: Option | Argument) -> str:
    return f"({' '.join(of.choices)})" if of.value is Value.CHOICE else _ZSH_ACTIONS[of.value]


def _fish_start(tree: CommandShape) -> str:
    paths = " ".join(_quoted(" ".join(each.path)) for each in tree.walk() if each.path)
    takes = " ".join(name for option in tree.options if option.value is not Value.NONE for name in option.names)
    return _FISH.format(paths=paths, takes=takes)


_FISH = """\
function __sandyk_at
    set -l at
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip -eq 1
            set skip 0
        else if test -z "$at"; and contains -- $word {takes}
            set skip 1
        else if contains -- "$(string trim "$at $word")" {paths}
            set at (string trim "$at $word")
        end
    end
    test "$at" = "$argv[1]"
end
complete -c sandyk -f
"""


def _fish(text: str) -> str:
    return "'" + _brief(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_option(option: Option) -> str:
    names = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names)
    value = {
        Value.NONE: "",
        Value.SECRET: " -x",
        Value.FILE: " -r -F",
        Value.FOLDER: " -x -a '(__fish_complete_directories)'",
        Value.CHOICE: f" -x -a {_fish(' '.join(option.choices))}",
    }[option.value]
    return f"{names}{value} -d {_fish(option.help)}"


def _brief(text: str) -> str:
    """The first sentence, without what a narrow column cannot hold."""
    first = " ".join(text.replace("`", "").split()).split(". ")[0].removesuffix(".")
    return first if len(first) <= _HELP_WIDTH else first[: _HELP_WIDTH - 1].rstrip() + "…"


def _powershell(words: list[str]) -> str:
    return "@(" + ", ".join(f"'{word}'" for word in words) + ")"


_POWERSHELL = """\
$SandykCommands = @{{
{rows}}}
Register-ArgumentCompleter -Native -CommandName sandyk -ScriptBlock {{
    param($wordToComplete, $commandAst, $cursorPosition)
    $at = ''
    $value = $false
    $typed = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object {{ $_.Extent.EndOffset -lt $cursorPosition }} | ForEach-Object {{ "$_" }})
    foreach ($word in $typed) {{
        if ($value) {{ $value = $false; continue }}
        $longer = "$at $word".Trim()
        if ($SandykCommands[$at].takes -contains $word) {{ $value = $true }}
        elseif ($SandykCommands.ContainsKey($longer)) {{ $at = $longer }}
    }}
    if ($value) {{ return }}
    $offered = $SandykCommands[$at].words
    if ($wordToComplete -like '-*') {{ $offered = $SandykCommands[$at].options }}
    $offered | Where-Object {{ $_ -like "$wordToComplete*" }} | ForEach-Object {{
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }}
}}
"""
