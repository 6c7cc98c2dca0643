//! What is told of runs: their status, their failed jobs, and what was changed.

use std::io::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::find;
use crate::batch::taker;
use crate::cli::interrupt::unless_interrupted;
use crate::cli::output::cells::thousands;
use crate::cli::terminal::{self, Progress, say};
use crate::cli::{Done, Failure, note, usage};
use crate::store::{Job, JobState, RunRecord, RunState, Status, Store};

/// Jobs that are listed at a time.
const AT_ONCE: usize = 500;
/// How often a watched run is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// From this time on a job in flight is worth a word, in microseconds.
const LONG: i64 = 60_000_000;

/// Such as `1,234 jobs`.
pub(super) fn counted(count: u64, name: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{} {name}{end}", thousands(&count.to_string()))
}

/// A length of time in its largest unit.
pub(super) fn time_words(time: Duration) -> String {
    match time.as_secs() {
        0 => crate::words::seconds(time),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// The same of microseconds by the clock of the store, which may have been set back.
pub(super) fn held_words(micros: i64) -> String {
    time_words(Duration::from_micros(micros.max(0) as u64))
}

/// How long the rest takes at this rate.
pub(super) fn left_words(left: u64, rate: f64) -> Option<String> {
    let seconds = left as f64 / rate;
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    (left > 0).then(|| time_words(time))
}

/// One line of progress.
pub(super) fn line(status: &Status, rate: f64, waits: bool) -> String {
    let counts = &status.counts;
    let mut text = format!("{} of {} done", counts.done, counted(counts.all(), "job"));
    for (count, what) in [(counts.dead, "dead"), (counts.unknown, "unknown")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    if rate > 0.0 {
        text.push_str(&format!(", {rate:.1}/s"));
        let left = left_words(counts.left(), rate);
        text.push_str(
            &left
                .map(|left| format!(", {left} left"))
                .unwrap_or_default(),
        );
    }
    if status.waiting > 0 {
        text.push_str(&format!(", {} wait for their next try", status.waiting));
    }
    if waits {
        text.push_str(", waiting for the rate limit");
    }
    if let Some(age) = status.oldest_lease.filter(|age| *age >= LONG) {
        text.push_str(&format!(", the oldest in flight for {}", held_words(age)));
    }
    text
}

/// The state of a run for people and scripts.
fn state_of(status: &Status) -> &'static str {
    match status.state {
        RunState::Open if status.counts.left() == 0 => "ended",
        state => state.as_str(),
    }
}

/// Jobs that ended in a second, over the last minute.
pub(super) fn rate_of(record: &RunRecord, status: &Status) -> f64 {
    let age = Timestamp::now().as_microsecond() - record.created;
    let seconds = (age as f64 / 1e6).clamp(1.0, 60.0);
    status.ended_lately as f64 / seconds
}

fn created(record: &RunRecord) -> String {
    match Timestamp::from_microsecond(record.created) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => String::new(),
    }
}

/// The status of a run for scripts.
pub(super) fn status_json(record: &RunRecord, status: &Status, waits: bool) -> Value {
    let counts = &status.counts;
    let rate = rate_of(record, status);
    let seconds = |micros: i64| (micros as f64 / 1e5).round() / 10.0;
    let left = match rate > 0.0 && counts.left() > 0 {
        true => json!((counts.left() as f64 / rate).ceil() as u64),
        false => Value::Null,
    };
    json!({
        "run": record.run.id,
        "tool": record.run.tool,
        "source": record.run.source,
        "state": state_of(status),
        "created": created(record),
        "jobs": counts.all(),
        "done": counts.done,
        "dead": counts.dead,
        "unknown": counts.unknown,
        "ready": counts.ready,
        "leased": counts.leased,
        "rows": status.rows,
        "per_second": (rate * 10.0).round() / 10.0,
        "seconds_left": left,
        "oldest_lease_seconds": status.oldest_lease.map(seconds),
        "waiting_for_next_try": status.waiting,
        "next_try_in_seconds": status.next_in.map(seconds),
        "waits_for_budget": waits,
    })
}

fn print_json(value: &Value) -> Done {
    let mut stdout = terminal::json();
    writeln!(stdout, "{value:#}")?;
    Ok(stdout.flush()?)
}

async fn status_of(store: &Store, record: &RunRecord) -> Result<Status, Failure> {
    let status = store.status(&record.run.id).await?;
    status.ok_or_else(|| usage(format!("the run {} is not there any more", record.run.id)))
}

/// `batch status`
pub(super) async fn status(store: &Store, run: Option<&str>, watch: bool, as_json: bool) -> Done {
    let record = match run {
        Some(id) => find(store, id).await?,
        None => {
            let newest = store.runs().await?.into_iter().next();
            newest.ok_or_else(|| usage(format!("there is no run in {}", store.address())))?
        }
    };
    if watch {
        return match unless_interrupted(follow(store, &record, as_json)).await {
            Ok(done) => done,
            Err(signal) => Err(Failure::Silent(signal.exit_code())),
        };
    }
    let status = status_of(store, &record).await?;
    let waits = store.waits_for_budget(&taker(&record.run.id)).await?;
    match as_json {
        true => print_json(&status_json(&record, &status, waits)),
        false => print_status(&record, &status, waits),
    }
}

/// Shows a run until it has ended: a line on a terminal that moves, elsewhere a line for each change.
async fn follow(store: &Store, record: &RunRecord, as_json: bool) -> Done {
    let _progress = Progress::start();
    let mut shown = String::new();
    loop {
        let status = status_of(store, record).await?;
        let rate = rate_of(record, &status);
        let waits = store.waits_for_budget(&taker(&record.run.id)).await?;
        let text = match as_json {
            true => status_json(record, &status, waits).to_string(),
            false => line(&status, rate, waits),
        };
        let has_ended = state_of(&status) == "ended" || status.state == RunState::Cancelled;
        if !as_json && Progress::is_shown() && !has_ended {
            Progress::says(text);
        } else if text != shown {
            let mut stdout = match as_json {
                true => terminal::json(),
                false => terminal::words(),
            };
            writeln!(stdout, "{text}")?;
            stdout.flush()?;
            shown = text;
        }
        if has_ended {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn print_status(record: &RunRecord, status: &Status, waits: bool) -> Done {
    let counts = &status.counts;
    let mut stdout = terminal::words();
    let run = &record.run;
    writeln!(stdout, "run      {}", terminal::line(&run.id))?;
    writeln!(stdout, "tool     {}", terminal::line(&run.tool))?;
    writeln!(stdout, "source   {}", terminal::line(&run.source))?;
    writeln!(
        stdout,
        "state    {}, made {}",
        state_of(status),
        created(record)
    )?;
    let number = |count: u64| thousands(&count.to_string()).into_owned();
    writeln!(stdout, "jobs     {}", number(counts.all()))?;
    writeln!(
        stdout,
        "done     {}, with {}",
        number(counts.done),
        counted(status.rows, "row")
    )?;
    writeln!(stdout, "dead     {}", number(counts.dead))?;
    writeln!(stdout, "unknown  {}", number(counts.unknown))?;
    let next = match (status.waiting, status.next_in) {
        (0, _) => String::new(),
        (waiting, None) => format!("; {} wait for their next try", number(waiting)),
        (waiting, Some(next)) => format!(
            "; {} wait for their next try, the first for {}",
            number(waiting),
            held_words(next)
        ),
    };
    writeln!(stdout, "ready    {}{next}", number(counts.ready))?;
    let lease = status.oldest_lease.filter(|_| counts.leased > 0);
    let lease = lease.map(|age| format!("; the oldest for {}", held_words(age)));
    writeln!(
        stdout,
        "leased   {}{}",
        number(counts.leased),
        lease.unwrap_or_default()
    )?;
    let rate = rate_of(record, status);
    let left = left_words(counts.left(), rate).filter(|_| rate > 0.0);
    let left = left.map(|left| format!(", about {left} left"));
    let waits = match waits {
        true => "; calls wait for the rate limit",
        false => "",
    };
    writeln!(
        stdout,
        "rate     {rate:.1} jobs/s over the last minute{}{waits}",
        left.unwrap_or_default()
    )?;
    Ok(stdout.flush()?)
}

fn job_json(job: &Job) -> Value {
    let failure = job.failure.as_ref();
    let args: Value = serde_json::from_str(&job.args).unwrap_or_else(|_| job.args.clone().into());
    json!({
        "key": job.key,
        "line": job.seq,
        "state": job.state,
        "kind": failure.map(|failure| failure.kind.as_str()),
        "status": failure.and_then(|failure| failure.status),
        "request_id": failure.and_then(|failure| failure.request_id.as_deref()),
        "message": failure.map(|failure| failure.message.as_str()),
        "failures": job.failures,
        "arguments": args,
    })
}

/// `batch dead`
pub(super) async fn jobs(
    store: &Store,
    record: &RunRecord,
    state: JobState,
    as_json: bool,
) -> Done {
    let id = &record.run.id;
    let mut stdout = match as_json {
        true => terminal::json(),
        false => terminal::words(),
    };
    let (mut from, mut count) = (i64::MIN, 0_u64);
    loop {
        let jobs = store.jobs(id, state, from, AT_ONCE).await?;
        let Some(last) = jobs.last() else { break };
        from = last.seq + 1;
        for job in &jobs {
            count += 1;
            if as_json {
                writeln!(stdout, "{}", job_json(job))?;
                continue;
            }
            let mut facts = vec![format!("line {}", job.seq)];
            if let Some(failure) = &job.failure {
                facts.push(failure.kind.clone());
                facts.extend(failure.status.map(|status| status.to_string()));
                facts.extend(
                    failure
                        .request_id
                        .as_ref()
                        .map(|id| format!("request id {id}")),
                );
            }
            let message = job.failure.as_ref().map(|failure| failure.message.as_str());
            let line = format!(
                "{}  [{}]  {}",
                job.key,
                facts.join(", "),
                message.unwrap_or_default()
            );
            writeln!(stdout, "{}", terminal::line(&line))?;
        }
    }
    stdout.flush()?;
    if count == 0 && !as_json {
        say(&format!("no job of the run {id} is {}", state.as_str()));
    }
    Ok(())
}

/// `batch retry`
pub(super) async fn retry(store: &Store, record: &RunRecord, unknown: bool, as_json: bool) -> Done {
    let id = &record.run.id;
    let mut count = store.retry(id, JobState::Dead).await?;
    if unknown {
        let again = store.retry(id, JobState::Unknown).await?;
        if again > 0 {
            note(&format!(
                "{} may have been carried out already, and may be carried out a second time",
                counted(again, "job")
            ));
        }
        count += again;
    }
    let left = status_of(store, record).await?.counts.unknown;
    if as_json {
        return print_json(&json!({ "run": id, "ready": count, "unknown": left }));
    }
    say(&match count {
        0 => "no job is ready again".to_owned(),
        _ => format!(
            "{} ready again; `toolrun batch resume {id}` tries them",
            match count {
                1 => "1 job is".to_owned(),
                _ => format!("{} are", counted(count, "job")),
            }
        ),
    });
    if left > 0 {
        note(&format!(
            "of {} nobody knows whether they were carried out: look them up at the service, then `--unknown` tries them again",
            counted(left, "job")
        ));
    }
    Ok(())
}

/// `batch cancel`
pub(super) async fn cancel(store: &Store, record: &RunRecord, as_json: bool) -> Done {
    let id = &record.run.id;
    store.cancel_run(id).await?;
    let status = status_of(store, record).await?;
    if as_json {
        return print_json(&status_json(record, &status, false));
    }
    say(&format!(
        "run {id}: cancelled; {} are left and are not begun, {} in flight end; `toolrun batch resume {id}` goes on",
        counted(status.counts.ready, "job"),
        status.counts.leased
    ));
    Ok(())
}

/// `batch list`
pub(super) async fn list(store: &Store, as_json: bool) -> Done {
    let mut all = Vec::new();
    for record in store.runs().await? {
        if let Some(status) = store.status(&record.run.id).await? {
            all.push((record, status));
        }
    }
    if as_json {
        let all: Vec<Value> = all
            .iter()
            .map(|(record, status)| status_json(record, status, false))
            .collect();
        return print_json(&all.into());
    }
    if all.is_empty() {
        say(&format!("there is no run in {}", store.address()));
        return Ok(());
    }
    let mut stdout = terminal::words();
    for (record, status) in &all {
        let run = &record.run;
        let told = format!(
            "{}  {:<9}  {}  {}, from {}: {}",
            run.id,
            state_of(status),
            created(record),
            run.tool,
            run.source,
            line(status, 0.0, false)
        );
        writeln!(stdout, "{}", terminal::line(&told))?;
    }
    Ok(stdout.flush()?)
}

/// `batch forget`
pub(super) async fn forget(store: &Store, record: &RunRecord, force: bool, as_json: bool) -> Done {
    let id = &record.run.id;
    let status = status_of(store, record).await?;
    let left = status.counts.left();
    if left > 0 && !force {
        return Err(usage(format!(
            "{} of the run {id} have not ended; --force forgets them too",
            counted(left, "job")
        )));
    }
    store.forget(id).await?;
    if as_json {
        return print_json(&json!({ "run": id, "forgotten": status.counts.all() }));
    }
    say(&format!(
        "run {id} is forgotten, with {} and {}",
        counted(status.counts.all(), "job"),
        counted(status.rows, "row")
    ));
    Ok(())
}
