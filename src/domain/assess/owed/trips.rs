//! A trip is told over the channels: once, those of the same moment in one message, also after a crash.

use sha2::{Digest, Sha256};

use crate::domain::contract;
use crate::domain::journal::Trip;
use crate::domain::policy::{Channel, Release};
use crate::domain::situation::Situation;

use super::{Owed, permission};

/// Triggers seldom trip in the same second: those of so many seconds are one message.
const GROUPED: i64 = 15;

type Tripped<'a> = (&'a (String, String), &'a Trip);

impl Owed<'_, '_> {
    /// Trips of the release that no message on record tells of: over the on-call channels, unless `[notify]` says who is told.
    pub(super) fn tell_trips(&mut self, s: &Situation) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        if !self.view.policy.notify.channels.is_empty() {
            return;
        }
        for (i, channel) in self.view.policy.oncall.channels.iter().enumerate() {
            let untold: Vec<Tripped<'_>> = state
                .trips
                .iter()
                .filter(|(key, trip)| {
                    trip.cleared.is_none() && !self.told(release, channel, i, &mark(key, trip))
                })
                .collect();
            let Some(first) = untold.iter().map(|(_, trip)| trip.at).min() else {
                continue;
            };
            if (self.view.at() - first).num_seconds() < GROUPED {
                continue;
            }
            let marks: Vec<String> = untold.iter().map(|(key, trip)| mark(key, trip)).collect();
            let id = format!("trip/{}", marks.join("+"));
            let what = format!("tell that {} tripped", counted(untold.len()));
            let text = text(s, release, &untold);
            let duties = permission::messages(self.view, release, &id, &text, &what);
            self.list.extend(duties.into_iter().nth(i));
        }
    }

    /// Does a message on record over that channel carry the trip's mark?
    fn told(&self, release: &Release, channel: &Channel, i: usize, mark: &str) -> bool {
        let from = format!("{}/trip/", release.id);
        let end = format!("/{i}/{}", channel.connection);
        self.view
            .journal
            .acts
            .range(from.clone()..)
            .take_while(|(id, _)| id.starts_with(&from))
            .any(|(id, _)| id.ends_with(&end) && id.contains(mark))
    }
}

/// Names a trip in a message's id: the same after a crash, another when it trips again.
fn mark((service, trigger): &(String, String), trip: &Trip) -> String {
    let words = format!("{service}/{trigger}@{}", trip.at.timestamp_millis());
    let digest = contract::hex(&Sha256::digest(words.as_bytes()));
    digest.chars().take(12).collect()
}

fn counted(trips: usize) -> String {
    match trips {
        1 => "a trigger".to_owned(),
        n => format!("{n} triggers"),
    }
}

fn text(s: &Situation, release: &Release, trips: &[Tripped<'_>]) -> String {
    let mut lines = vec![format!(
        "{} in {}: {} tripped. {}",
        release.title,
        release.environment,
        counted(trips.len()),
        s.band.advice.word()
    )];
    for ((service, trigger), trip) in trips {
        lines.push(format!(
            "{service}: {trigger}: {} ({} UTC)",
            trip.said,
            trip.at.format("%H:%M:%S")
        ));
    }
    if let Some(driver) = &s.band.driver {
        lines.push(format!("driver {driver}"));
    }
    lines.join("\n")
}
