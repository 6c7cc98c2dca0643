//! `toolrun batch TOOL FILE`: makes a run, or finds it again, and works on it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Begin, Output, follow, options_of};
use crate::batch::{Options, Spool, digest_of, is_repeatable};
use crate::cli::config::InForce;
use crate::cli::reach::{self, Reached};
use crate::cli::terminal::{self, Progress, say};
use crate::cli::{Done, Failure, exit, note, usage};
use crate::engine::error::Error;
use crate::project::ResponseKind;
use crate::sign::sha256;
use crate::store::{NewRun, RunRecord, Store};
use crate::{Access, Call, Catalog, Files, Tool};

impl Begin {
    pub(super) async fn run(self, catalog: &Catalog, in_force: &InForce) -> Done {
        let Some(name) = &self.tool else {
            return Err(usage(
                "name a tool and a file of argument lines; `toolrun batch --help` says more",
            ));
        };
        self.written.check()?;
        reach::check_sandbox(self.reach.sandbox.as_deref())?;
        let mut catalog = catalog.clone();
        let tool = reach::tool(&mut catalog, name, self.reach.asks_no_service())?;
        refuse_downloads(&tool)?;
        let settings = reach::settings(&tool, &self.reach.set, in_force);
        self.refuse_settings(&tool)?;
        let sandbox = self.reach.sandbox.as_deref();
        let reached = reach::engine(
            &catalog,
            &tool,
            &settings,
            sandbox,
            &self.reach.here,
            in_force,
        )
        .await?;
        let progress = Progress::start();
        let (spool, source) = self.read(&tool, &catalog, in_force, &reached).await?;
        drop(progress);
        self.tell_lines(&tool, &spool)?;
        if self.dry_run {
            return self.print_first(&tool, &reached, &spool);
        }
        if spool.facts.jobs == 0 {
            note("there is nothing to do");
            return Ok(());
        }
        self.agree(&tool, &reached, &spool)?;
        let named = super::store(in_force)?;
        let store = named.store();
        let (new, options) = self.new_run(&tool, &spool, source, settings, in_force)?;
        let record = self.enqueue(store, spool, new, options).await?;
        if self.enqueue_only {
            say(&format!(
                "workers carry it out: toolrun worker {} --store {}",
                record.run.id,
                store.address()
            ));
            return Ok(());
        }
        let here = &self.reach.here;
        let own = follow::Own {
            rate: self.rate,
            limits: Some((self.max_attempts, self.stop_after)),
            files: Files::Any,
        };
        follow::work(
            &named,
            record,
            tool,
            reached,
            own,
            &self.pace,
            &self.written,
            here,
        )
        .await
    }

    /// A setting that the tool's service does not have is a mistake.
    fn refuse_settings(&self, tool: &Tool) -> Done {
        for (name, _) in &self.reach.set {
            let known = tool.service.settings();
            if self.from.is_none() && !known.iter().any(|(known, _)| known == name) {
                let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
                return Err(usage(format!(
                    "--set {name}: the service {} has no such setting; it has {}",
                    tool.service.name,
                    match names.is_empty() {
                        true => "none".to_owned(),
                        false => names.join(", "),
                    }
                )));
            }
        }
        Ok(())
    }

    /// Says what was read. Wrong lines are an error, unless they are left out.
    fn tell_lines(&self, tool: &Tool, spool: &Spool) -> Done {
        let facts = &spool.facts;
        if facts.lines == 0 && self.from.is_none() {
            return Err(usage("there is no line in it"));
        }
        if facts.invalid > 0 {
            let what = match self.from {
                Some(_) => "row",
                None => "line",
            };
            let told: Vec<String> = facts
                .problems
                .iter()
                .map(|(line, problem)| format!("{what} {line}: {problem}"))
                .collect();
            let more = facts.invalid - facts.problems.len() as u64;
            let mut text = told.join("\n");
            if more > 0 {
                text.push_str(&format!("\nand {more} more"));
            }
            match &self.skip_invalid {
                Some(file) => note(&format!(
                    "{} of {} lines are not valid and left out; they are in {}",
                    facts.invalid,
                    facts.lines,
                    file.display()
                )),
                None => {
                    let hint = match (&self.from, self.map.is_empty()) {
                        (Some(_), true) => "; --map PARAM=COLUMN says which columns are params",
                        _ => "; --skip-invalid FILE leaves such lines out",
                    };
                    return Err(usage(format!(
                        "{} of {} lines are not valid for {}, and nothing was sent or stored{hint}\n{text}",
                        facts.invalid, facts.lines, tool.name
                    )));
                }
            }
        }
        if facts.elsewhere > 0 {
            note(&format!("{} lines belong to other shards", facts.elsewhere));
        }
        Ok(())
    }

    /// The first requests, secrets masked.
    fn first(
        &self,
        tool: &Arc<Tool>,
        reached: &Reached,
        spool: &Spool,
    ) -> Result<Vec<crate::Plan>, Failure> {
        let plans = spool.facts.first.iter().map(|job| {
            let arguments = serde_json::from_str(&job.arguments).unwrap_or(Value::Null);
            reached.engine.plan(&Call::new(tool, arguments))
        });
        Ok(plans.collect::<Result<_, _>>()?)
    }

    fn print_first(&self, tool: &Arc<Tool>, reached: &Reached, spool: &Spool) -> Done {
        use std::io::Write as _;
        let mut stdout = terminal::words();
        for plan in self.first(tool, reached, spool)? {
            writeln!(stdout, "{}", plan.to_http().trim_end())?;
            writeln!(stdout)?;
        }
        stdout.flush()?;
        say(&format!(
            "{} jobs; nothing was sent or stored",
            spool.facts.jobs
        ));
        Ok(())
    }

    /// Asks once for the whole run whether a tool that writes may go on, and shows what it would send first.
    fn agree(&self, tool: &Arc<Tool>, reached: &Reached, spool: &Spool) -> Done {
        // Mistakes that only show in a request come before any question.
        let plans = self.first(tool, reached, spool)?;
        if tool.access == Access::Read || self.yes {
            return Ok(());
        }
        if !terminal::can_ask() {
            return Err(Failure::Error(Error::Consent {
                tool: tool.name.clone(),
                access: tool.access,
            }));
        }
        say(&format!(
            "{} would be called {} times. The first requests:",
            tool.name, spool.facts.jobs
        ));
        for plan in &plans {
            say(plan.to_http().trim_end());
            say("");
        }
        let service = tool.service.title.as_ref().unwrap_or(&tool.service.name);
        let place = match self.reach.sandbox {
            None if self.reach.asks_no_service() => format!("in the recording of {service}"),
            Some(_) => format!("in the sandbox of {service}"),
            None => format!("at {service}"),
        };
        let what = match tool.access {
            Access::Destructive => "This may destroy data for good",
            _ => "This may change data",
        };
        let once = match is_repeatable(tool) {
            true => String::new(),
            false => " Its requests carry no idempotency key: what gets lost on the way is not sent again.".to_owned(),
        };
        let question = format!("{what} {place}.{once} Make all {} calls?", spool.facts.jobs);
        match terminal::ask(&question)? {
            true => Ok(()),
            false => Err(Failure::Told(
                exit::POLICY,
                format!("{} was not called: the answer was no", tool.name),
            )),
        }
    }

    fn new_run(
        &self,
        tool: &Tool,
        spool: &Spool,
        source: String,
        settings: Vec<(String, String)>,
        in_force: &InForce,
    ) -> Result<(NewRun, Options), Failure> {
        let nonce = uuid::Uuid::new_v4().to_string();
        let mut about = json!([
            tool.qualified_name(),
            spool.digest,
            settings,
            self.reach.sandbox,
            self.shard.map(|shard| shard.to_string()),
            self.new.then_some(&nonce),
        ]);
        let played = self.reach.here.tape.plays();
        if let Some(about) = about.as_array_mut().filter(|_| played) {
            about.push("played".into());
        }
        let format = self.written.format()?;
        let options = Options {
            fingerprint: sha256(about.to_string().as_bytes()),
            nonce,
            settings,
            sandbox: self.reach.sandbox.clone(),
            played,
            profile: in_force.profile_name(),
            rate: self.rate,
            max_attempts: self.max_attempts,
            stop_after: self.stop_after,
            timeout: self.reach.timeout.map(|time| time.as_millis() as u64),
            output: Some(format.ending().to_owned()),
            out: self
                .written
                .out
                .as_ref()
                .map(|out| out.display().to_string()),
        };
        let source = match self.shard {
            Some(shard) => format!("{source}, shard {shard}"),
            None => source,
        };
        let new = NewRun {
            id: String::new(),
            tool: tool.qualified_name(),
            digest: digest_of(tool),
            source,
            access: tool.access.to_string(),
            is_repeatable: is_repeatable(tool),
            options: String::new(),
        };
        Ok((new, options))
    }

    /// Puts the jobs into the store, and says what came of it.
    async fn enqueue(
        &self,
        store: &Store,
        spool: Spool,
        new: NewRun,
        options: Options,
    ) -> Result<RunRecord, Failure> {
        let progress = Progress::start();
        let (digest, jobs) = (new.digest.clone(), spool.facts.jobs);
        let tell = |count: u64| Progress::says(format!("{count} of {jobs} jobs are stored"));
        let work = spool.enqueue(store, new, options, &tell);
        let loaded = match crate::cli::interrupt::unless_interrupted(work).await {
            Ok(loaded) => loaded?,
            Err(signal) => {
                return Err(signal.failure("the same command goes on with it; nothing was sent"));
            }
        };
        drop(progress);
        let record = loaded.record;
        let id = &record.run.id;
        if loaded.is_known {
            let counts = store.status(id).await?.map(|status| status.counts);
            let counts = counts.unwrap_or_default();
            say(&format!(
                "run {id}: the same lines as before, so nothing is added; {} of {} jobs are done",
                counts.done,
                counts.all()
            ));
            if record.run.digest != digest {
                return Err(follow::other_descriptor(&record));
            }
            options_of(&record)?;
            return Ok(record);
        }
        let twice = jobs - loaded.added.min(jobs);
        if twice > 0 {
            let reason = match self.key {
                Some(_) => "the first line of a key counts",
                None => "the same call is made once",
            };
            note(&format!(
                "{twice} lines have the key of an earlier line, or were stored before; {reason}"
            ));
        }
        say(&format!("run {id}: {} jobs", loaded.added));
        Ok(record)
    }
}

/// A file for each line would need a name for each.
fn refuse_downloads(tool: &Tool) -> Done {
    match tool.rules.kind {
        ResponseKind::Bytes => Err(usage(format!(
            "{} downloads a file, and a batch gives rows; use `toolrun call` with --out for each",
            tool.name
        ))),
        _ => Ok(()),
    }
}

impl super::Written {
    /// The format: the one that is named, else by the name of the file.
    pub(super) fn format(&self) -> Result<crate::table::Format, Failure> {
        let by_name = || {
            let ending = self
                .out
                .as_ref()?
                .extension()?
                .to_str()?
                .to_ascii_lowercase();
            match ending.as_str() {
                "csv" => Some(Output::Csv),
                "parquet" => Some(Output::Parquet),
                _ => None,
            }
        };
        let output = self.output.or_else(by_name).unwrap_or(Output::Ndjson);
        Ok(output.format())
    }

    /// Refuses what could not be written before anything is sent.
    pub(super) fn check(&self) -> Done {
        let format = self.format()?;
        format.check().map_err(usage)?;
        if format == crate::table::Format::Parquet && self.is_printed() {
            return Err(usage(
                "Parquet is written to a file: name it with --out FILE",
            ));
        }
        if let Some(out) = self.out.as_ref().filter(|_| !self.is_printed()) {
            let folder = crate::staged::folder_of(out);
            if !folder.is_dir() {
                return Err(usage(format!("there is no folder {}", folder.display())));
            }
            if out.is_dir() {
                return Err(usage(format!("{} is a folder", out.display())));
            }
            if out.exists() && !out.is_file() {
                return Err(usage(format!(
                    "{} is a device or a pipe, and a file would take its place; `--out -` writes to standard output",
                    out.display()
                )));
            }
        }
        Ok(())
    }

    pub(super) fn is_printed(&self) -> bool {
        self.out.as_ref().is_none_or(|out| out.as_os_str() == "-")
    }
}
