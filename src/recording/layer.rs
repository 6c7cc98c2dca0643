//! The layer between the engine and a transport that hears every exchange.

use std::sync::Arc;

use super::entry::{End, Heard};
use super::recorder::Recorder;
use super::redact::Rules;
use crate::send::{
    Listener, Request, ResponseFuture, Transport, TransportError, TransportErrorKind, Unsigned,
};

/// A transport that is recorded.
pub(super) struct Recording {
    transport: Arc<dyn Transport>,
    recorder: Arc<Recorder>,
    rules: Rules,
    most: u64,
}

/// An exchange in progress. When it is dropped, it is written down as far as it came.
struct Exchange {
    recorder: Arc<Recorder>,
    rules: Rules,
    most: u64,
    id: String,
    unsigned: Arc<Unsigned>,
    heard: Option<Heard>,
}

impl Recorder {
    /// A transport that does what another does, and is recorded. `rules` are those of the service, `most` is its limit for
    /// bytes of a body.
    pub(crate) fn layer(
        self: &Arc<Self>,
        transport: Arc<dyn Transport>,
        rules: &Rules,
        most: u64,
    ) -> Arc<dyn Transport> {
        Arc::new(Recording {
            transport,
            recorder: Arc::clone(self),
            rules: self.rules_with(rules),
            most,
        })
    }
}

impl Transport for Recording {
    fn send(&self, request: Request) -> ResponseFuture<'_> {
        let Some(unsigned) = request.unsigned().map(Arc::clone) else {
            return self.transport.send(request);
        };
        let mut exchange = Exchange {
            recorder: Arc::clone(&self.recorder),
            rules: self.rules.clone(),
            most: self.most,
            id: self.recorder.begin(&unsigned),
            unsigned,
            heard: Some(Heard::new()),
        };
        Box::pin(async move {
            match self.transport.send(request).await {
                Err(error) => {
                    match error.kind {
                        // Nothing was sent, and nothing answered.
                        TransportErrorKind::Unrecorded => exchange.forget(),
                        _ => exchange.end(Some(&error)),
                    }
                    Err(error)
                }
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    if let Some(heard) = &mut exchange.heard {
                        heard.wait = Some(heard.since.elapsed());
                        heard.head = Some(head.clone());
                    }
                    let body = body.heard_by(Box::new(exchange));
                    Ok(http::Response::from_parts(head, body))
                }
            }
        })
    }
}

impl Exchange {
    fn forget(&mut self) {
        self.heard = None;
        self.recorder.forget(std::mem::take(&mut self.id));
    }

    fn write(&mut self) {
        if let Some(heard) = self.heard.take() {
            let id = std::mem::take(&mut self.id);
            let recorder = &self.recorder;
            recorder.end(id, &self.unsigned, heard, &self.rules, self.most);
        }
    }
}

impl Listener for Exchange {
    fn piece(&mut self, piece: &[u8]) {
        if let Some(heard) = &mut self.heard {
            heard.raw.extend_from_slice(piece);
        }
    }

    fn end(&mut self, broken: Option<&TransportError>) {
        if let Some(heard) = &mut self.heard {
            match broken {
                None => heard.end = End::Whole,
                Some(error) => heard.break_off(error),
            }
        }
        self.write();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.write();
    }
}
