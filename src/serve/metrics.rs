//! Metrics in the text format of Prometheus: how many calls there were, how they ended and how long they took. Labels are names
//! of tools and words of ours, and no value of an argument; what names no tool that is served has one label.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::observe::{Ending, Finished};

/// Tools that have a label of their own; those that come later share one.
const TOOLS: usize = 1_000;
/// The label of tools beyond that.
const OTHER: &str = "other";
/// The label of names that are no tool.
const UNKNOWN: &str = "unknown";
/// The upper ends of the buckets of the duration, in seconds.
const BUCKETS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// What is counted while the server runs.
#[derive(Default)]
pub(super) struct Metrics {
    in_flight: Arc<AtomicUsize>,
    /// Requests over HTTP that were not let in, by the reason.
    refused: Mutex<BTreeMap<&'static str, u64>>,
    unknown_tools: AtomicU64,
    tools: Mutex<BTreeMap<String, Series>>,
    /// Answers of services that were errors, by their status.
    statuses: Mutex<BTreeMap<u16, u64>>,
    /// The collector of traces, if there is one.
    #[cfg(feature = "otel")]
    pub(super) telemetry: std::sync::OnceLock<super::otel::Telemetry>,
}

/// What a caller says of the trace that its call is part of: `traceparent` and `tracestate` (W3C Trace Context).
pub(super) type Trace = std::collections::HashMap<String, String>;

/// The calls of one tool.
#[derive(Default)]
struct Series {
    /// By the decision, and how they ended.
    calls: BTreeMap<(&'static str, String), u64>,
    /// Calls that took at most as long as each bucket says, and longer than the one before.
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
    bytes: u64,
}

/// A call that runs, until this is dropped.
pub(super) struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// A call begins.
    pub(super) fn begin(&self) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.in_flight))
    }

    /// A call has ended.
    pub(super) fn count(&self, finished: &Finished, trace: &Trace) {
        self.export(finished, trace);
        let mut tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        let has_own = tools.contains_key(&finished.tool) || tools.len() < TOOLS;
        let name = if has_own { &finished.tool } else { OTHER };
        let series = match tools.get_mut(name) {
            Some(series) => series,
            None => tools.entry(name.to_owned()).or_default(),
        };
        let ending = ending(&finished.ending).to_owned();
        let calls = series.calls.entry((finished.decision.word(), ending));
        *calls.or_default() += 1;
        let seconds = finished.took.as_secs_f64();
        if let Some(bucket) = BUCKETS.iter().position(|end| seconds <= *end) {
            series.buckets[bucket] += 1;
        }
        series.count += 1;
        series.seconds += seconds;
        match &finished.ending {
            Ending::Done { bytes, .. } => series.bytes += *bytes as u64,
            Ending::Failed {
                status: Some(status),
                ..
            } => {
                drop(tools);
                let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
                *statuses.entry(*status).or_default() += 1;
            }
            _ => {}
        }
    }

    #[cfg(feature = "otel")]
    fn export(&self, finished: &Finished, trace: &Trace) {
        if let Some(telemetry) = self.telemetry.get() {
            telemetry.tell(finished, trace);
        }
    }

    #[cfg(not(feature = "otel"))]
    fn export(&self, _: &Finished, _: &Trace) {}

    /// A call named no tool.
    pub(super) fn count_unknown_tool(&self) {
        self.unknown_tools.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was not let in.
    pub(super) fn count_refused(&self, reason: &'static str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(reason).or_default() += 1;
    }

    /// All of it as text.
    pub(super) fn text(&self, served: usize) -> String {
        let mut text = String::new();
        let version = env!("CARGO_PKG_VERSION");
        head(
            &mut text,
            "toolrun_build_info",
            "gauge",
            "The version of toolrun.",
        );
        line(
            &mut text,
            "toolrun_build_info",
            &[("version", version)],
            "1",
        );
        head(
            &mut text,
            "toolrun_tools",
            "gauge",
            "Tools that are served.",
        );
        line(&mut text, "toolrun_tools", &[], served);
        let name = "toolrun_calls_in_flight";
        head(&mut text, name, "gauge", "Calls that run now.");
        line(&mut text, name, &[], self.in_flight.load(Ordering::Relaxed));
        self.write_refused(&mut text);
        self.write_tools(&mut text);
        let name = "toolrun_upstream_errors_total";
        let about = "Calls that ended with an error status of the service.";
        head(&mut text, name, "counter", about);
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        for (status, count) in &*statuses {
            line(&mut text, name, &[("status", &status.to_string())], count);
        }
        text
    }

    fn write_refused(&self, text: &mut String) {
        let name = "toolrun_http_refused_total";
        let about = "Requests over HTTP that were not let in, by the reason.";
        head(text, name, "counter", about);
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, count) in &*refused {
            line(text, name, &[("reason", reason)], count);
        }
    }

    fn write_tools(&self, text: &mut String) {
        let tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        let name = "toolrun_calls_total";
        let about = "Calls of tools, by what the policy decided and how they ended.";
        head(text, name, "counter", about);
        for (tool, series) in &*tools {
            for ((decision, ending), count) in &series.calls {
                let labels = [
                    ("tool", &**tool),
                    ("decision", decision),
                    ("ending", ending),
                ];
                line(text, name, &labels, count);
            }
        }
        let unknown = self.unknown_tools.load(Ordering::Relaxed);
        if unknown > 0 {
            let labels = [("tool", UNKNOWN), ("decision", "none"), ("ending", UNKNOWN)];
            line(text, name, &labels, unknown);
        }
        let name = "toolrun_result_bytes_total";
        head(text, name, "counter", "Bytes of the texts of results.");
        for (tool, series) in &*tools {
            line(text, name, &[("tool", tool)], series.bytes);
        }
        let name = "toolrun_call_duration_seconds";
        head(text, name, "histogram", "How long calls took.");
        let (buckets, sum, count) = (
            format!("{name}_bucket"),
            format!("{name}_sum"),
            format!("{name}_count"),
        );
        for (tool, series) in &*tools {
            let mut so_far = 0;
            for (end, here) in BUCKETS.iter().zip(series.buckets) {
                so_far += here;
                let labels = [("tool", &**tool), ("le", &end.to_string())];
                line(text, &buckets, &labels, so_far);
            }
            let labels = [("tool", &**tool), ("le", "+Inf")];
            line(text, &buckets, &labels, series.count);
            line(text, &sum, &[("tool", tool)], series.seconds);
            line(text, &count, &[("tool", tool)], series.count);
        }
    }
}

/// How a call ended: in one word, or as the kind of its error, of which there are few.
pub(super) fn ending(ending: &Ending) -> &str {
    match ending {
        Ending::Done { .. } => "done",
        Ending::Failed { kind, .. } => kind,
        Ending::Refused => "not_run",
        Ending::Waits => "waits",
        Ending::Cancelled => "cancelled",
    }
}

fn head(text: &mut String, name: &str, kind: &str, about: &str) {
    let _ = write!(text, "# HELP {name} {about}\n# TYPE {name} {kind}\n");
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        })
        .collect();
    let _ = match labels.is_empty() {
        true => writeln!(text, "{name} {value}"),
        false => writeln!(text, "{name}{{{}}} {value}", labels.join(",")),
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::serve::gate::{Caller, Decision};

    fn finished(tool: &str, ending: Ending, millis: u64) -> Finished {
        Finished {
            caller: Caller::local(),
            tool: tool.to_owned(),
            arguments: vec!["secret_name".to_owned()],
            decision: Decision::Invalid(Vec::new()),
            approval: None,
            ending,
            took: Duration::from_millis(millis),
        }
    }

    #[test]
    fn labels_are_bounded_and_escaped() {
        let metrics = Metrics::default();
        for number in 0..TOOLS + 50 {
            metrics.count(
                &finished(&format!("a/{number}"), Ending::Refused, 1),
                &Trace::new(),
            );
        }
        let text = metrics.text(3);
        assert!(text.contains("{tool=\"other\",decision=\"invalid\",ending=\"not_run\"} 50\n"));
        assert_eq!(
            text.matches("toolrun_call_duration_seconds_count").count(),
            TOOLS + 1
        );
        assert!(!text.contains("secret_name"));
        let metrics = Metrics::default();
        metrics.count(&finished("a\"\\\nb", Ending::Refused, 1), &Trace::new());
        assert!(metrics.text(0).contains("{tool=\"a\\\"\\\\\\nb\","));
    }

    #[test]
    fn a_histogram_adds_up() {
        let metrics = Metrics::default();
        for millis in [5, 10, 11, 90, 70_000] {
            let done = Ending::Done {
                bytes: 10,
                rows: None,
            };
            metrics.count(&finished("a/b", done, millis), &Trace::new());
        }
        let text = metrics.text(0);
        for (end, count) in [
            ("0.01", 2),
            ("0.025", 3),
            ("0.1", 4),
            ("60", 4),
            ("+Inf", 5),
        ] {
            let line = format!("duration_seconds_bucket{{tool=\"a/b\",le=\"{end}\"}} {count}\n");
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        assert!(
            text.contains("toolrun_result_bytes_total{tool=\"a/b\"} 50\n"),
            "{text}"
        );
    }
}
