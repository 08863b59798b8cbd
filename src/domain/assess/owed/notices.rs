//! What is told over the channels of `[notify]`: a trip, a checkpoint, the end of the watch. Once a change, also after a crash
//! between the journal and the message, and from whichever process drives.

use std::collections::BTreeMap;

use chrono::Duration;
use serde_json::Value;

use crate::domain::act::{Act, Verb};
use crate::domain::assess::{View, watch};
use crate::domain::journal::ReleaseState;
use crate::domain::policy::{Channel, Notice, Release};
use crate::domain::situation::{Duty, Mark, Situation, Task};
use crate::domain::time::Instant;
use crate::domain::verdict::Verdict;

use super::Owed;

/// Trips this close together are one message, seconds.
const TOGETHER: i64 = 10;
/// What is older than this is no news any more, seconds; a trip that still stands always is.
const NEWS: i64 = 3600;

/// One message: what it is about, and what it says.
struct News {
    about: String,
    text: String,
}

impl Owed<'_, '_> {
    /// Every change of the current release that is to be told and was not.
    pub(super) fn notices(&mut self, s: &Situation) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        let notify = &self.view.policy.notify;
        if notify.channels.is_empty() || state.closing.is_some() {
            return;
        }
        let mut news = Vec::new();
        for notice in &notify.on {
            match notice {
                Notice::Trip => news.extend(trips(self.view, state)),
                Notice::Checkpoint => news.extend(checkpoints(self.view, state)),
                Notice::End => news.extend(end(self.view, state)),
            }
        }
        for one in news {
            for (i, channel) in notify.channels.iter().enumerate() {
                self.tell_once(release, s, &one, (i, channel));
            }
        }
    }

    fn tell_once(
        &mut self,
        release: &Release,
        s: &Situation,
        news: &News,
        (i, channel): (usize, &Channel),
    ) {
        let id = format!(
            "{}/notice/{}/{i}/{}",
            release.id, news.about, channel.connection
        );
        if self.view.journal.acts.contains_key(&id) {
            return;
        }
        let mut args: BTreeMap<String, Value> = channel
            .args
            .iter()
            .map(|(k, v)| (k.clone(), Value::String(v.clone())))
            .collect();
        let text = format!(
            "{} in {}: {}\n{}",
            release.title,
            release.environment,
            news.text,
            s.band.advice.word()
        );
        args.insert("text".to_owned(), Value::String(text));
        self.list.push(Duty {
            key: format!("message/{id}"),
            release: Some(release.id.clone()),
            task: Task::Perform {
                before: Vec::new(),
                act: Act {
                    id,
                    connection: channel.connection.clone(),
                    verb: Verb::PostMessage,
                    args,
                    release: Some(release.id.clone()),
                    service: None,
                    environment: Some(release.environment.clone()),
                    reason: "notice".to_owned(),
                    summary: format!("told {}: {}", channel.connection, news.text),
                },
                step: None,
            },
        });
    }
}

fn fresh(view: &View<'_>, at: Instant) -> bool {
    view.at() - at < Duration::seconds(NEWS)
}

/// Trips that stand, those of one moment together.
fn trips(view: &View<'_>, state: &ReleaseState) -> Vec<News> {
    let mut open: Vec<_> = state
        .trips
        .iter()
        .filter(|(_, t)| t.cleared.is_none())
        .collect();
    open.sort_by_key(|((service, trigger), t)| (t.at, service.clone(), trigger.clone()));
    let mut out: Vec<(Instant, News)> = Vec::new();
    for ((service, trigger), trip) in open {
        let line = format!("trigger {trigger} of {service} tripped: {}", trip.said);
        match out.last_mut() {
            Some((first, news)) if trip.at - *first <= Duration::seconds(TOGETHER) => {
                news.text.push_str("; ");
                news.text.push_str(&line);
            }
            _ => {
                let about = format!("trip/{}", trip.at.timestamp());
                out.push((trip.at, News { about, text: line }));
            }
        }
    }
    // A rolled back release's trips are told already, or stand for what is gone.
    out.retain(|(at, _)| state.rolled_back().is_none() || fresh(view, *at));
    out.into_iter().map(|(_, news)| news).collect()
}

fn checkpoints(view: &View<'_>, state: &ReleaseState) -> Vec<News> {
    let taken = state.checkpoints.iter();
    taken
        .filter(|(_, (_, _, at))| fresh(view, *at))
        .map(|(after, (verdict, late, _))| News {
            about: format!("checkpoint/{after}"),
            text: format!(
                "checkpoint {}{}: {}",
                watch::name(*after),
                if *late { " (late)" } else { "" },
                words(verdict)
            ),
        })
        .collect()
}

fn end(view: &View<'_>, state: &ReleaseState) -> Option<News> {
    let over = state.watch_end.as_ref().filter(|e| fresh(view, e.at))?;
    Some(News {
        about: "end".to_owned(),
        text: format!("the watch ended: {}; {}", words(&over.verdict), over.detail),
    })
}

fn words(verdict: &Verdict) -> String {
    let word = Mark::from(verdict).word;
    match verdict.why() {
        Some(why) => format!("{word}: {why}"),
        None => word,
    }
}
