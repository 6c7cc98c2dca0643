//! OpenTelemetry: a span and measurements for each call, sent to a collector over OTLP. Nothing is made or sent until the
//! environment names the collector. No attribute is a value of an argument.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::metrics::{Counter, Histogram, MeterProvider as _};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use url::Url;

use super::metrics::ending;
use super::observe::{Ending, Finished};
use super::reload::Tell;
use crate::send::{Roots, post};

/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of its answer.
const MOST_BYTES: usize = 1 << 20;
/// How often it is told that it cannot be reached, at most.
const QUIET: Duration = Duration::from_mins(1);

/// What calls are told to.
pub(crate) struct Telemetry {
    tracers: SdkTracerProvider,
    tracer: SdkTracer,
    meters: SdkMeterProvider,
    calls: Counter<u64>,
    seconds: Histogram<f64>,
    bytes: Counter<u64>,
}

impl Telemetry {
    /// The collector that the environment names; `None` if it names none. Must be called within the runtime.
    ///
    /// # Errors
    /// When what the environment says cannot be used.
    pub(crate) fn from_environment(
        roots: Roots,
        tell: Arc<Tell>,
    ) -> Result<Option<Telemetry>, String> {
        let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
        let is_off = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value == "true");
        if is_off || !set("OTEL_EXPORTER_OTLP_ENDPOINT") {
            return Ok(None);
        }
        let client = Client {
            runtime: Handle::current(),
            roots,
            tell,
            told: Arc::default(),
        };
        let wrong = |error: &dyn std::fmt::Display| {
            format!("OpenTelemetry cannot be set up as the environment says: {error}")
        };
        let spans = SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .build()
            .map_err(|error| wrong(&error))?;
        let metrics = MetricExporter::builder()
            .with_http()
            .with_http_client(client)
            .build()
            .map_err(|error| wrong(&error))?;
        let mut resource = Resource::builder();
        let names_itself = std::env::var("OTEL_RESOURCE_ATTRIBUTES")
            .is_ok_and(|value| value.contains("service.name="));
        if !set("OTEL_SERVICE_NAME") && !names_itself {
            resource = resource.with_service_name("toolrun");
        }
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = resource.with_attribute(version).build();
        let tracers = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(spans)
            .build();
        let meters = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_periodic_exporter(metrics)
            .build();
        let meter = meters.meter("toolrun");
        Ok(Some(Telemetry {
            tracer: tracers.tracer("toolrun"),
            tracers,
            calls: meter.u64_counter("toolrun.calls").build(),
            seconds: meter
                .f64_histogram("toolrun.call.duration")
                .with_unit("s")
                .build(),
            bytes: meter
                .u64_counter("toolrun.result.bytes")
                .with_unit("By")
                .build(),
            meters,
        }))
    }

    /// A call has ended. `trace` is what the caller said of its trace.
    pub(super) fn tell(&self, finished: &Finished, trace: &HashMap<String, String>) {
        let end = SystemTime::now();
        let start = end.checked_sub(finished.took).unwrap_or(end);
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), trace);
        let tool = KeyValue::new("gen_ai.tool.name", finished.tool.clone());
        let ended = ending(&finished.ending).to_owned();
        let mut attributes = vec![
            tool.clone(),
            KeyValue::new("mcp.method.name", "tools/call"),
            KeyValue::new("toolrun.decision", finished.decision.word()),
            KeyValue::new("toolrun.ending", ended.clone()),
        ];
        let measured = [tool.clone(), attributes[2].clone(), attributes[3].clone()];
        self.calls.add(1, &measured);
        self.seconds.record(finished.took.as_secs_f64(), &measured);
        match &finished.ending {
            Ending::Done { bytes, rows } => {
                self.bytes.add(*bytes as u64, &[tool]);
                attributes.push(KeyValue::new("toolrun.result.bytes", *bytes as i64));
                let rows = rows.map(|rows| KeyValue::new("toolrun.result.rows", rows as i64));
                attributes.extend(rows);
            }
            Ending::Failed { status, .. } => {
                attributes.push(KeyValue::new("error.type", ended));
                let status =
                    status.map(|s| KeyValue::new("http.response.status_code", i64::from(s)));
                attributes.extend(status);
            }
            _ => {}
        }
        let mut span = self
            .tracer
            .span_builder(format!("tools/call {}", finished.tool))
            .with_kind(SpanKind::Server)
            .with_start_time(start)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, &parent);
        if matches!(finished.ending, Ending::Failed { .. }) {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(end);
    }

    /// Sends what was not sent yet.
    pub(super) fn flush(&self) {
        // What fails is told by the client.
        let _ = self.tracers.shutdown();
        let _ = self.meters.shutdown();
    }
}

/// Sends what is exported, by the client that everything else uses.
#[derive(Clone)]
struct Client {
    /// The exporters run on threads of their own.
    runtime: Handle,
    roots: Roots,
    tell: Arc<Tell>,
    told: Arc<Mutex<Option<Instant>>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    fn tell(&self, reason: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() > QUIET) {
            *told = Some(Instant::now());
            (self.tell)(&format!(
                "the OpenTelemetry collector gets nothing: {reason}"
            ));
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string())?;
        let roots = self.roots.clone();
        let sending = self.runtime.spawn(async move {
            post(url, parts.headers, body, &roots, MOST_BYTES, PATIENCE).await
        });
        let sent = match sending.await {
            Ok(Ok(response)) if response.status().is_success() => Ok(response.map(Bytes::from)),
            Ok(Ok(response)) => {
                self.tell(&format!(
                    "it answers with status {}",
                    response.status().as_u16()
                ));
                Ok(response.map(Bytes::from))
            }
            Ok(Err(reason)) => Err(reason),
            Err(_) => Err("the server ends".to_owned()),
        };
        sent.map_err(|reason| {
            self.tell(&reason);
            reason.into()
        })
    }
}
