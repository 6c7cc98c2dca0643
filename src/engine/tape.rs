//! Recordings of an engine: those that it makes, and the one that answers in place of services.

use std::sync::Arc;

use url::Url;

use crate::recording::{Play, Recorder};
use crate::send::{Client, Transport};
use crate::sign::Secrets;
use crate::tool::service::Service;

use super::session::Credentials;

/// What an engine records and plays.
#[derive(Clone, Default)]
pub(super) struct Tape {
    recorders: Vec<Arc<Recorder>>,
    play: Option<Arc<Play>>,
}

impl Tape {
    pub(super) fn record(&mut self, recorder: Arc<Recorder>) {
        self.recorders.push(recorder);
    }

    pub(super) fn play(&mut self, play: Arc<Play>) {
        self.play = Some(play);
    }

    /// The recording that answers.
    pub(super) fn playing(&self) -> Option<&Arc<Play>> {
        self.play.as_ref()
    }

    /// Whether requests are to carry what recordings may know of them.
    pub(super) fn is_on(&self) -> bool {
        self.play.is_some() || !self.recorders.is_empty()
    }

    /// A transport with all that hear it.
    pub(super) fn heard(
        &self,
        transport: Arc<dyn Transport>,
        service: &Service,
    ) -> Arc<dyn Transport> {
        let most = service.sending.limits.response_bytes;
        let recorders = self.recorders.iter();
        recorders.fold(transport, |transport, recorder| {
            recorder.layer(transport, &service.redact, most)
        })
    }

    /// What requests of a service are sent with if a recording answers: no secret. `base` is the URL below which they are
    /// compared. `told` is it if it came with an access token.
    pub(super) fn credentials(
        &self,
        play: &Arc<Play>,
        service: &Service,
        base: &Url,
        told: Option<Url>,
    ) -> Credentials {
        let stage = play.stage(&service.name, base, service.auth.query_names());
        let transport = self.heard(Arc::new(stage), service);
        let client = Client::of_recording(transport, base);
        Credentials::without_secrets(client, Secrets::default(), told)
    }
}
