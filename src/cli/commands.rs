//! The table of commands. A command's own arguments are only described when it is used: describing those of all
//! commands would take a good part of a cold call.

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, FromArgMatches};

use super::{
    approve, audit, batch, call, callers, ci, completions, config, diff, docs, drift, explain,
    export, fmt, import, list, lsp, man, new, policy, record, sandbox, schemas, serve, show, sql,
    sync, test, trust, validate,
};

macro_rules! commands {
    ($($name:literal $variant:ident($arguments:ty) $about:literal)*) => {
        /// What to do.
        #[derive(Debug)]
        pub(crate) enum Command {
            $(#[doc = $about] $variant(Box<$arguments>),)*
        }

        /// Adds all commands to the program.
        pub(crate) fn all(program: clap::Command) -> clap::Command {
            program.subcommands([$($name),*].into_iter().filter_map(named))
        }

        /// The command of this name. Its arguments are described when it is used.
        pub(crate) fn named(name: &str) -> Option<clap::Command> {
            match name {
                $($name => Some(
                    clap::Command::new($name)
                        .about($about)
                        .defer(|command| <$arguments>::augment_args(command).about($about)),
                ),)*
                _ => None,
            }
        }

        /// A command with its arguments.
        pub(crate) fn described(name: &str) -> Option<clap::Command> {
            match name {
                $($name => {
                    let command = clap::Command::new($name);
                    Some(<$arguments>::augment_args(command).about($about))
                })*
                _ => None,
            }
        }

        impl Command {
            /// The command that a command line names.
            ///
            /// # Errors
            /// When the parser knows the command, and the table does not.
            pub(crate) fn of(matches: &ArgMatches) -> Result<Command, clap::Error> {
                match matches.subcommand() {
                    $(Some(($name, own)) => {
                        let arguments = <$arguments>::from_arg_matches(own)?;
                        Ok(Command::$variant(Box::new(arguments)))
                    })*
                    _ => Err(clap::Error::new(ErrorKind::MissingSubcommand)),
                }
            }
        }
    };
}

commands! {
    "list" List(list::List) "List the tools"
    "show" Show(show::Show) "Show a tool: what it does, its params, examples, endpoint and secret"
    "call" Call(call::Call) "Call a tool"
    "batch" Batch(batch::Batch) "Call a tool once for each of many lines of arguments, as a run that survives anything"
    "worker" Worker(batch::WorkerCommand) "Work on the runs of batches in a store, beside other workers"
    "sql" Sql(sql::Sql) "Ask the tools that read in SQL, as tables"
    "sync" Sync(sync::Sync) "Copy the rows of tools into a database or files, and keep them up to date"
    "record" Record(record::Record) "Record the calls that a command makes, or make examples of a recording"
    "docs" Docs(docs::Docs) "Print the reference of a tool, or open its documentation"
    "validate" Validate(validate::Validate) "Check descriptors"
    "lsp" Lsp(lsp::Lsp) "Check and complete descriptors in an editor: a language server"
    "diff" Diff(diff::Diff) "Say what changes between two versions of descriptors, and for whom"
    "explain" Explain(explain::Explain) "Explain a code of a finding"
    "fmt" Fmt(fmt::Fmt) "Give descriptors their one layout"
    "test" Test(test::Test) "Run the examples of descriptors, offline"
    "ci" Ci(ci::Ci) "Check descriptors in every way that a CI job needs, with one summary"
    "drift" Drift(drift::Drift) "Hold recordings of what services do against the descriptors"
    "sandbox" Sandbox(sandbox::Sandbox) "Serve a service's sandbox: a made-up stand-in on this machine"
    "serve" Serve(serve::Serve) "Serve tools to agents, over the Model Context Protocol"
    "approve" Approve(approve::Approve) "Approve calls of agents that wait, refuse them, or list them"
    "audit" Audit(audit::AuditCommand) "Verify an audit log"
    "policy" Policy(policy::PolicyCommand) "Run the cases of a policy, or say what it says to a call"
    "callers" Callers(callers::CallersCommand) "Add, list and remove the callers of a server"
    "export" Export(export::Export) "Write the tools in another format: definitions for models, OpenAPI, skills, bundles, documentation"
    "trust" Trust(trust::Trust) "Trust the tools of a folder: let them use secrets, variables and files, and send requests"
    "untrust" Untrust(trust::Untrust) "Stop trusting the tools of a folder"
    "new" New(new::New) "Write a tool to go on from: blank, from a curl command or from a recording"
    "import" Import(import::Import) "Make descriptors of a document that describes a service"
    "config" Config(config::Config) "Show what is in force, and where it comes from"
    "schemas" Schemas(schemas::Schemas) "Write the JSON Schemas of the descriptor format"
    "completions" Completions(completions::Completions) "Print a script that completes the command line in a shell"
    "man" Man(man::Man) "Write the man pages"
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use pretty_assertions::assert_eq;

    use crate::cli::Cli;

    #[test]
    fn a_command_alone_is_the_same_as_among_the_others() {
        let program = Cli::program();
        let names: Vec<&str> = program
            .get_subcommands()
            .map(|one| one.get_name())
            .collect();
        assert!(names.len() > 30, "{names:?}");
        let lines: [&[&str]; 8] = [
            &["--help"],
            &["-h"],
            &["--no-such-option"],
            &["--tool", "a"],
            &["--tools"],
            &["--tools", "a", "--store=b", "--help"],
            &["--profile", "a", "--profile", "b"],
            &["a", "b", "c", "d", "e=f"],
        ];
        for name in names {
            for line in lines {
                let words = || {
                    let words = ["toolrun", name].into_iter();
                    words.chain(line.iter().copied()).map(OsString::from)
                };
                let told = |error: clap::Error| (error.kind(), error.to_string());
                let alone = Cli::read(words()).err().map(told);
                let among = Cli::program().try_get_matches_from(words());
                assert_eq!(alone, among.err().map(told), "{name} {line:?}");
            }
        }
    }
}
