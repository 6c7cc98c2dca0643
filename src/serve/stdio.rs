//! Standard input and output: one message on each line. Every request gets an answer, also a malformed one.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use rmcp::model::{
    ClientJsonRpcMessage, ErrorCode, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::service::{RxJsonRpcMessage, ServerInitializeError, ServiceExt, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::io::stdio_pipes;
use rmcp::{RoleServer, model::ClientNotification, model::ClientRequest};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Mutex, Notify};

use super::{CROWDED, OPEN, Server, Shared, twin};

/// Bytes at the start and the end of a line that is too long, in which its id is looked for.
const EDGE: usize = 256;

/// Serves until standard input ends, or the server should end. Requests that were read before are answered.
///
/// # Errors
/// Why it ended otherwise.
pub(crate) async fn serve(shared: &Arc<Shared>) -> Result<(), String> {
    let (read, write) = stdio_pipes();
    serve_over(shared, read, write).await
}

/// The same over any two streams.
pub(super) async fn serve_over<R, W>(shared: &Arc<Shared>, read: R, write: W) -> Result<(), String>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let lines = Lines::new(shared, read, write);
    let server = Server {
        shared: Arc::clone(shared),
    };
    match server.serve(lines).await {
        Ok(running) => match running.waiting().await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        },
        // Nobody said anything, or only asked what there is.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Messages as lines.
struct Lines<R, W> {
    shared: Arc<Shared>,
    read: BufReader<R>,
    line: Vec<u8>,
    /// The start of a line that is too long, and the last bytes of it so far.
    long: Option<(Vec<u8>, Vec<u8>)>,
    write: Arc<Mutex<Option<W>>>,
    open: Arc<Open>,
    /// Answers to malformed messages that are not written yet.
    answers: Vec<ServerJsonRpcMessage>,
    has_ended: bool,
}

/// The requests that have no answer yet.
#[derive(Default)]
struct Open {
    ids: Lock<HashSet<RequestId>>,
    answered: Notify,
}

impl Open {
    fn add(&self, id: RequestId) {
        self.ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id);
    }

    fn remove(&self, id: &RequestId) {
        self.ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        self.answered.notify_waiters();
    }

    fn count(&self) -> usize {
        self.ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Waits until every request has its answer, or the time is over.
    async fn settle(&self, within: Duration) {
        let settled = async {
            loop {
                let answered = self.answered.notified();
                if self.count() == 0 {
                    return;
                }
                answered.await;
            }
        };
        let _ = tokio::time::timeout(within, settled).await;
    }
}

/// One line of input.
enum Line {
    Whole,
    TooLong(Option<RequestId>),
    End,
}

impl<R: AsyncRead + Send + Unpin, W: AsyncWrite + Send + Unpin + 'static> Lines<R, W> {
    fn new(shared: &Arc<Shared>, read: R, write: W) -> Lines<R, W> {
        Lines {
            shared: Arc::clone(shared),
            read: BufReader::with_capacity(32 << 10, read),
            line: Vec::new(),
            long: None,
            write: Arc::new(Mutex::new(Some(write))),
            open: Arc::default(),
            answers: Vec::new(),
            has_ended: false,
        }
    }

    /// Reads the next line. The future may be dropped: what was read of a line is kept.
    async fn next_line(&mut self) -> Line {
        let most = self.shared.limits.request_bytes;
        loop {
            let available = match self.read.fill_buf().await {
                Ok([]) | Err(_) => return Line::End,
                Ok(available) => available,
            };
            let end = memchr::memchr(b'\n', available);
            let part = &available[..end.unwrap_or(available.len())];
            let is_long = self.long.is_some() || self.line.len() + part.len() > most;
            if is_long {
                let (_, tail) = self.long.get_or_insert_with(|| {
                    let start = self.line.iter().chain(part).take(EDGE).copied().collect();
                    (start, self.line.clone())
                });
                tail.extend_from_slice(part);
                let surplus = tail.len().saturating_sub(EDGE);
                tail.drain(..surplus);
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(part);
            }
            let taken = end.map_or(available.len(), |end| end + 1);
            self.read.consume(taken);
            if end.is_some() {
                return match self.long.take() {
                    Some((start, tail)) => Line::TooLong(id_at_edge(&start, &tail)),
                    None => Line::Whole,
                };
            }
        }
    }

    /// The message of a line. Answers to what is none are noted.
    fn message(&mut self, line: &[u8]) -> Option<ClientJsonRpcMessage> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        match serde_json::from_slice::<ClientJsonRpcMessage>(line) {
            Ok(message) => Some(message),
            Err(error) => {
                self.answers.extend(refusals(line, &error));
                None
            }
        }
    }

    /// Notes which requests are open.
    fn note(&self, message: &ClientJsonRpcMessage) {
        match message {
            JsonRpcMessage::Request(request) => {
                // It stays open until the client or the server ends.
                if !matches!(
                    request.request,
                    ClientRequest::SubscriptionsListenRequest(_)
                ) {
                    self.open.add(request.id.clone());
                }
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.open.remove(id);
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let (write, open) = (Arc::clone(&self.write), Arc::clone(&self.open));
        let answered = match &message {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        async move {
            let sent = put(&write, message).await;
            if let Some(id) = &answered {
                open.remove(id);
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            while let Some(answer) = self.answers.first() {
                put(&self.write, answer.clone()).await.ok()?;
                self.answers.remove(0);
            }
            if self.has_ended {
                self.open.settle(self.shared.limits.deadline).await;
                return None;
            }
            let stop = self.shared.stop.clone();
            let line = tokio::select! {
                () = stop.cancelled() => Line::End,
                line = self.next_line() => line,
            };
            match line {
                Line::End => {
                    self.has_ended = true;
                    self.shared.deaf.cancel();
                }
                Line::TooLong(id) => {
                    let most = self.shared.limits.request_bytes;
                    let message = format!("the message is longer than {most} bytes");
                    self.answers
                        .push(refusal(ErrorCode::INVALID_REQUEST, message, id));
                }
                Line::Whole => {
                    let line = std::mem::take(&mut self.line);
                    match self.message(&line) {
                        // Answers, notes and what cancels a request are always heard.
                        Some(JsonRpcMessage::Request(request)) if self.open.count() >= OPEN => {
                            let crowded = CROWDED.to_owned();
                            self.answers.push(refusal(
                                ErrorCode::INVALID_REQUEST,
                                crowded,
                                Some(request.id),
                            ));
                        }
                        Some(message) => {
                            self.note(&message);
                            return Some(message);
                        }
                        None => {}
                    }
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        drop(self.write.lock().await.take());
        Ok(())
    }
}

/// Writes one message as one line.
async fn put<W: AsyncWrite + Unpin>(
    write: &Mutex<Option<W>>,
    message: ServerJsonRpcMessage,
) -> io::Result<()> {
    let mut line = twin::written(message)?;
    line.push(b'\n');
    let mut write = write.lock().await;
    let write = write.as_mut().ok_or(io::ErrorKind::NotConnected)?;
    write.write_all(&line).await?;
    write.flush().await
}

/// What tells a request from other messages. What is skipped may be nested as deep as it likes.
#[derive(Deserialize)]
struct Envelope {
    id: Option<Value>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

impl Envelope {
    fn id(&self) -> Option<RequestId> {
        RequestId::deserialize(self.id.as_ref()?).ok()
    }
}

/// The answers to a line that is no message.
pub(super) fn refusals(line: &[u8], error: &serde_json::Error) -> Vec<ServerJsonRpcMessage> {
    let invalid = |message: String, id| refusal(ErrorCode::INVALID_REQUEST, message, id);
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(line) {
        // An answer to a malformed answer would lead nowhere.
        if envelope.result.is_some() || envelope.error.is_some() {
            return Vec::new();
        }
        let reason = match error.classify() {
            serde_json::error::Category::Data => "this is no message of the protocol".to_owned(),
            _ => format!("the message cannot be read: {error}"),
        };
        return vec![invalid(reason, envelope.id())];
    }
    if let Ok(batch) = serde_json::from_slice::<Vec<Envelope>>(line) {
        let reason = || "batches are not taken; send one message on each line".to_owned();
        let ids: Vec<RequestId> = batch.iter().filter_map(Envelope::id).collect();
        return match ids.is_empty() {
            true => vec![invalid(reason(), None)],
            false => ids
                .into_iter()
                .map(|id| invalid(reason(), Some(id)))
                .collect(),
        };
    }
    match serde_json::from_slice::<IgnoredAny>(line) {
        Ok(_) => vec![invalid("a message is one JSON object".to_owned(), None)],
        Err(error) => vec![refusal(
            ErrorCode::PARSE_ERROR,
            format!("no JSON: {error}"),
            None,
        )],
    }
}

fn refusal(code: ErrorCode, message: String, id: Option<RequestId>) -> ServerJsonRpcMessage {
    ServerJsonRpcMessage::error(ErrorData::new(code, message, None::<Value>), id)
}

/// The id of a message of which only the start and the end are known. It stands at one of them.
fn id_at_edge(start: &[u8], tail: &[u8]) -> Option<RequestId> {
    let value = r#"("(?:[^"\\]|\\.)*"|-?[0-9]+)"#;
    let head =
        format!(r#"(?s-u)^\s*\{{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*{value}\s*,"#);
    let end =
        format!(r#"(?s-u)[^\\],\s*"id"\s*:\s*{value}\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}}\s*$"#);
    let find = |pattern: &str, text: &[u8]| {
        let found = regex::bytes::Regex::new(pattern).ok()?.captures(text)?;
        serde_json::from_slice(&found[1]).ok()
    };
    find(&head, start).or_else(|| find(&end, tail))
}
