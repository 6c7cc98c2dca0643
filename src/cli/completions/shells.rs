//! What differs between shells: the script, how it gives the words, and how the values go back.

use std::ffi::OsString;
use std::io;

use clap_complete::Shell;
use clap_complete::env::{Elvish, EnvCompleter, Powershell};

use super::VARIABLE;
use super::line::Line;
use super::values::{Candidate, Describe, candidates, command};

const NAME: &str = "toolrun";

/// Words go to the program as one text, for bash separates them at `=` and `:`.
const BASH: &str = r#"_toolrun() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(TOOLRUN_COMPLETE=bash PROGRAM -- "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
}
complete -o nospace -o bashdefault -F _toolrun toolrun
if [[ "${BASH_VERSINFO[0]}" -gt 4 || ( "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 ) ]]; then
    complete -o nospace -o nosort -o bashdefault -F _toolrun toolrun
fi
"#;

/// A line that begins with `+` is a value behind which the word goes on; one with `-` ends the word.
const ZSH: &str = r#"#compdef toolrun
_toolrun() {
    local line
    local -a ending going
    for line in "${(@f)$(TOOLRUN_COMPLETE=zsh PROGRAM -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
        case "$line" in
            -*) ending+=("${line#-}") ;;
            +*) going+=("${line#+}") ;;
        esac
    done
    (( $#ending )) && _describe -V 'values' ending
    (( $#going )) && _describe -V 'values' going -S ''
}
if [ "$funcstack[1]" = "_toolrun" ]; then
    _toolrun "$@"
else
    compdef _toolrun toolrun
fi
"#;

/// fish adds no space behind `=` and `/` by itself.
const FISH: &str = r#"function __toolrun_complete
    set --local words (commandline --current-process --tokenize --cut-at-cursor)
    TOOLRUN_COMPLETE=fish PROGRAM -- $words (commandline --current-token --cut-at-cursor) 2>/dev/null
end
complete --command toolrun --keep-order --no-files --arguments "(__toolrun_complete)"
"#;

/// The script for a shell.
pub(crate) fn script(shell: Shell, program: &str) -> io::Result<String> {
    let quoted = match shell {
        Shell::Fish => format!("'{}'", program.replace('\\', r"\\").replace('\'', r"\'")),
        _ => format!("'{}'", program.replace('\'', r"'\''")),
    };
    let by_clap = |shell: &dyn EnvCompleter| {
        let mut script = Vec::new();
        shell.write_registration(VARIABLE, NAME, NAME, program, &mut script)?;
        String::from_utf8(script).map_err(io::Error::other)
    };
    match shell {
        Shell::Bash => Ok(BASH.replace("PROGRAM", &quoted)),
        Shell::Zsh => Ok(ZSH.replace("PROGRAM", &quoted)),
        Shell::Fish => Ok(FISH.replace("PROGRAM", &quoted)),
        Shell::Elvish => by_clap(&Elvish),
        Shell::PowerShell => by_clap(&Powershell),
        _ => Err(io::Error::other("there is no script for this shell")),
    }
}

/// What the script of a shell is told.
pub(crate) fn answer(shell: Shell, words: Vec<OsString>) -> io::Result<String> {
    match shell {
        Shell::Bash => bash(&words),
        Shell::Zsh => Ok(candidates(words, Describe::Yes)?
            .iter()
            .map(of_zsh)
            .collect()),
        Shell::Fish => Ok(candidates(words, Describe::Yes)?
            .iter()
            .map(of_fish)
            .collect()),
        Shell::Elvish => by_clap(&Elvish, words, Describe::No),
        Shell::PowerShell => by_clap(&Powershell, words, Describe::Yes),
        _ => Err(io::Error::other("there are no completions for this shell")),
    }
}

fn by_clap(
    shell: &dyn EnvCompleter,
    words: Vec<OsString>,
    describe: Describe,
) -> io::Result<String> {
    let mut answer = Vec::new();
    let mut command = command(&words, describe);
    shell.write_complete(
        &mut command,
        words,
        std::env::current_dir().ok().as_deref(),
        &mut answer,
    )?;
    String::from_utf8(answer).map_err(io::Error::other)
}

fn bash(given: &[OsString]) -> io::Result<String> {
    let text = |at: usize| {
        given
            .get(at)
            .map(|text| text.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let line = Line::read(&text(0), &text(1)).of_program(NAME);
    let words = line.words.iter().map(OsString::from).collect();
    let found = candidates(words, Describe::No)?;
    let put = found
        .iter()
        .filter_map(|candidate| line.insertion(&candidate.value, candidate.goes_on));
    Ok(put.map(|put| format!("{put}\n")).collect())
}

fn of_zsh(candidate: &Candidate) -> String {
    let mark = if candidate.goes_on { '+' } else { '-' };
    let value = candidate.value.replace('\\', r"\\").replace(':', r"\:");
    match candidate.help.replace('\\', r"\\") {
        help if help.is_empty() => format!("{mark}{value}\n"),
        help => format!("{mark}{value}:{help}\n"),
    }
}

fn of_fish(candidate: &Candidate) -> String {
    match candidate.help.is_empty() {
        true => format!("{}\n", candidate.value),
        false => format!("{}\t{}\n", candidate.value, candidate.help),
    }
}
