//! What went wrong with a request, in one sentence that says what to do.

use crate::domain::observe::{Fault, FaultKind};
use crate::domain::text::clean;
use crate::domain::time::Instant;

use super::{Reply, Request, Transport};

/// Columns of a vendor's own error text that a fault quotes.
const EXCERPT: usize = 160;

/// How far a failed request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// No byte of it left: it certainly did nothing.
    NotSent,
    /// The vendor answered that it refuses.
    Answered,
    /// It went out and no clear answer came.
    Unclear,
}

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub fault: Fault,
    /// How far it got.
    pub reach: Reach,
}

impl Failure {
    /// Nothing left this machine.
    #[must_use]
    pub fn not_sent(fault: Fault) -> Self {
        Self {
            fault,
            reach: Reach::NotSent,
        }
    }
    /// A clear refusal.
    #[must_use]
    pub fn answered(fault: Fault) -> Self {
        Self {
            fault,
            reach: Reach::Answered,
        }
    }
    /// It may or may not have been done.
    #[must_use]
    pub fn unclear(fault: Fault) -> Self {
        Self {
            fault,
            reach: Reach::Unclear,
        }
    }
}

impl Transport {
    /// A fault that names connection, method and the path's template; redacted.
    #[must_use]
    pub fn fault(&self, request: &Request, kind: FaultKind, what: &str, hint: &str) -> Fault {
        let place = format!(
            "{}: {} {}: {what}",
            self.options.name, request.method, request.template
        );
        self.options.redactor.fault(Fault::new(kind, place, hint))
    }

    /// The fault that a status outside 2xx means; `None` for 2xx.
    #[must_use]
    pub fn status_fault(&self, request: &Request, reply: &Reply) -> Option<Fault> {
        if reply.is_success() {
            return None;
        }
        let (kind, hint) = match reply.status {
            401 => (
                FaultKind::Unauthorized,
                "the token was not accepted: renew it and check what its setting refers to",
            ),
            403 => (
                FaultKind::Unauthorized,
                "the token is known but may not do this: give it the rights for this path",
            ),
            404 | 410 => (
                FaultKind::NotFound,
                "check the url and the names in this connection's settings (some vendors also answer so without rights)",
            ),
            408 => (FaultKind::Timeout, "it is tried again"),
            429 => (FaultKind::RateLimited, "it is tried again later"),
            300..=399 => (
                FaultKind::Refused,
                "it answers with a redirect that is not followed: check the url (http or https?)",
            ),
            500..=599 => (
                FaultKind::Server,
                "the vendor has a fault: it is tried again",
            ),
            _ => (
                FaultKind::Refused,
                "the vendor refuses the request as it is: check this connection's settings",
            ),
        };
        let said = self.excerpt(&reply.body);
        let what = match reply.status {
            300..=399 => format!("HTTP {}", reply.status),
            status if said.is_empty() => format!("HTTP {status}"),
            status => format!("HTTP {status}: {said}"),
        };
        Some(self.fault(request, kind, &what, hint))
    }

    /// The beginning of a vendor's own words, redacted and clean. A page of HTML says nothing.
    #[must_use]
    pub fn excerpt(&self, body: &[u8]) -> String {
        let head = body.get(..body.len().min(4096)).unwrap_or_default();
        let text = String::from_utf8_lossy(head);
        if text.trim_start().starts_with('<') {
            return "a web page instead of data".to_owned();
        }
        let said = serde_json::from_slice::<serde_json::Value>(body)
            .ok()
            .and_then(|v| {
                let own = v.pointer("/error/message").or(v.get("message"));
                let own = own.or(v.get("error"));
                own.and_then(|m| m.as_str()).map(str::to_owned)
            });
        clean(
            &self
                .options
                .redactor
                .redact(said.as_deref().unwrap_or(&text)),
            EXCERPT,
        )
    }

    /// A failed exchange as reqwest tells it.
    pub(super) fn failure(&self, request: &Request, error: &reqwest::Error) -> Failure {
        let cause = root_cause(error);
        if error.is_builder() {
            let what = format!("the request cannot be made ({cause})");
            return Failure::not_sent(self.fault(request, FaultKind::Config, &what, ""));
        }
        if error.is_connect() {
            let (what, hint) = connect_words(&cause, &self.host());
            return Failure::not_sent(self.fault(request, FaultKind::Unreachable, &what, &hint));
        }
        if error.is_timeout() {
            return Failure::unclear(self.fault_timeout(request));
        }
        Failure::unclear(self.fault(
            request,
            FaultKind::Unreachable,
            &format!("the connection broke ({cause})"),
            "it is tried again; look at the network or a proxy between",
        ))
    }

    pub(super) fn fault_timeout(&self, request: &Request) -> Fault {
        let seconds = self.options.timeout.as_secs_f32();
        self.fault(
            request,
            FaultKind::Timeout,
            &format!("no answer within {seconds} s"),
            "it is tried again; if it stays slow, ask for less or raise the timeout",
        )
    }

    pub(super) fn fault_cut(&self, request: &Request) -> Fault {
        self.fault(
            request,
            FaultKind::Unreachable,
            "the answer broke off",
            "it is tried again; look at the network or a proxy between",
        )
    }

    pub(super) fn fault_large(&self, request: &Request) -> Fault {
        let mib = self.options.max_body as f64 / f64::from(1 << 20);
        self.fault(
            request,
            FaultKind::TooLarge,
            &format!("the answer is larger than {mib:.1} MiB"),
            "narrow the read in this connection's settings",
        )
    }

    pub(super) fn fault_redirect(&self, request: &Request, to: &str) -> Fault {
        self.fault(
            request,
            FaultKind::Refused,
            &format!("it redirects to {to}"),
            "write the final address as this connection's url",
        )
    }

    pub(super) fn fault_limited(&self, request: &Request, status: u16, at: Instant) -> Fault {
        let what = format!("HTTP {status}: too many requests");
        self.asleep(request, &what, at)
    }

    pub(super) fn fault_asleep(&self, request: &Request, at: Instant) -> Fault {
        self.asleep(
            request,
            "not sent, the vendor asked for quiet after too many requests",
            at,
        )
    }

    pub(super) fn fault_own_limit(&self, request: &Request, at: Instant) -> Fault {
        self.asleep(
            request,
            "not sent, this connector's limit per minute is reached",
            at,
        )
    }

    fn asleep(&self, request: &Request, what: &str, at: Instant) -> Fault {
        let hint = format!(
            "this connection sleeps until {} UTC; the others go on",
            at.format("%H:%M:%S")
        );
        let mut fault = self.fault(request, FaultKind::RateLimited, what, &hint);
        fault.retry_at = Some(at);
        fault
    }
}

/// The innermost cause's words; the outer ones hold the whole address, which may hold a secret.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::eq(cause, error as &dyn std::error::Error) {
        return "no further cause is known".to_owned();
    }
    clean(&cause.to_string(), EXCERPT)
}

fn connect_words(cause: &str, host: &str) -> (String, String) {
    let lower = cause.to_lowercase();
    let advice = if lower.contains("refused") {
        "nothing listens there: is it running, and is the port right?"
    } else if lower.contains("certificate") || lower.contains("invalid peer") {
        "its certificate is not trusted here: add the authority to this machine's trust store"
    } else if lower.contains("lookup") || lower.contains("name") || lower.contains("dns") {
        "the name is not known here: check the url, VPN and DNS"
    } else {
        "check the url, VPN and network"
    };
    (
        format!("cannot connect to {host} ({cause})"),
        advice.to_owned(),
    )
}
